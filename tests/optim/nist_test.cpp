// NIST's problems of nonlinear regression, beside their certified results. The files are not part of this
// repository: STILLPOINT_NIST_DIR names the directory that has them.
// (NIST Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml.)
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "optim/fits.h"
#include "support/nist.h"

namespace stillpoint::test {
namespace {

bool has_file(const std::string& name) {
  return !nist_directory().empty() && std::filesystem::exists(nist_directory() / (name + ".dat"));
}

constexpr const char* kNoFile = "set STILLPOINT_NIST_DIR to the directory of NIST's files to run this test";

// What a sum of squares may be off by because residuals are differences of rounded numbers.
double rounding_of_sum(const NistProblem& problem, double sum) {
  const double each = 8 * 2.2e-16 * problem.y.abs().max().item<double>();
  return 2 * each * std::sqrt(sum * static_cast<double>(problem.y.size(0)));
}

void expect_certified(const NistProblem& problem, const Tensor& b, const Stats& stats,
                      const std::string& what) {
  const double sum = problem.residual(b).square().sum().item<double>();
  // Unknowns off by what the tolerance allows change the sum by the square of that.
  const double by_tolerance = static_cast<double>(b.size(1)) * std::pow(stats.allowed[0], 2);
  EXPECT_NEAR(sum, problem.sum_of_squares,
              2e-10 * problem.sum_of_squares + by_tolerance + rounding_of_sum(problem, sum))
      << what;
  // Some models are the same for other signs.
  const Tensor found = agreeing_digits(b, problem.certified) < 1 ? b.abs() : b;
  const Tensor certified =
      agreeing_digits(b, problem.certified) < 1 ? problem.certified.abs() : problem.certified;
  EXPECT_GE(agreeing_digits(found, certified), 8) << what << b;
}

class Nist : public testing::TestWithParam<std::string> {};

TEST_P(Nist, HasItsCertifiedParametersFromBothStarts) {
  if (!has_file(GetParam())) GTEST_SKIP() << kNoFile;
  const NistProblem problem = read_nist(nist_directory(), GetParam());
  for (const auto& solver : least_squares_solvers()) {
    for (std::size_t i = 0; i < problem.starts.size(); ++i) {
      const auto [b, stats] =
          least_squares([&](const Tensor& x) { return problem.residual(x); }, problem.starts[i],
                        {.solver = solver, .on_failure = OnFailure::Ignore});
      const std::string what = solver.name() + " from start " + std::to_string(i + 1) + ": " + stats.full();
      const bool is_default = solver.name() == LeastSquaresOptions{}.solver.name();
      EXPECT_TRUE(stats.converged() || !is_default) << what;
      if (stats.converged()) expect_certified(problem, b, stats, what);
    }
  }
}

TEST_P(Nist, HasItsCertifiedDeviations) {
  if (!has_file(GetParam())) GTEST_SKIP() << kNoFile;
  const NistProblem problem = read_nist(nist_directory(), GetParam());
  const auto residual = [&](const Tensor& x) { return problem.residual(x); };
  const auto [b, stats] = least_squares(residual, problem.starts[1]);
  ASSERT_TRUE(stats.converged()) << stats.full();
  const Covariance found = covariance(residual, b);
  EXPECT_FALSE(found.singular.any());
  const double noise = rounding_of_sum(problem, problem.sum_of_squares) / problem.sum_of_squares;
  EXPECT_NEAR(found.variance.sqrt().item<double>() / problem.deviation, 1.0, 1e-9 + noise);
  EXPECT_GE(agreeing_digits(found.deviation, problem.deviations), std::min(7.0, -std::log10(noise)))
      << found.deviation;
}

INSTANTIATE_TEST_SUITE_P(Problems, Nist, testing::ValuesIn(nist_names()),
                         [](const auto& problem) { return problem.param; });

// db₁/dy of MGH17, computed in 40 digits.
TEST(NistDerivatives, AreExactUnlessAskedOtherwise) {
  if (!has_file("MGH17")) GTEST_SKIP() << kNoFile;
  const auto slopes = [](optim::Hessian hessian) {
    NistProblem problem = read_nist(nist_directory(), "MGH17");
    problem.y.requires_grad_();
    const auto [b, stats] =
        least_squares([&](const Tensor& x) { return problem.residual(x); }, problem.starts[1],
                      {.tolerance = {.relative = 1e-12}, .hessian = hessian});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(b,
                      row({.375410052106952, 1.935846912712367, -1.464687136613423, .01286753464005729,
                           .02212269966167261}),
                      1e-10));
    return slopes_of(b, problem.y)[0];
  };
  const Tensor exact = slopes(optim::Hessian::Exact);
  EXPECT_TRUE(close(exact.slice(0, 0, 3), vector({.3347985319399, -.1831672028253, -.3121138728065}), 1e-8));
  EXPECT_NEAR(exact.sum().item<double>(), 1.0, 1e-8);
  const Tensor other = slopes(optim::Hessian::GaussNewton);
  const double error = ((other - exact).abs().max() / exact.abs().max()).item<double>();
  EXPECT_GE(error, 2.3e-2);
  EXPECT_LE(error, 2.5e-2);
}

}  // namespace
}  // namespace stillpoint::test
