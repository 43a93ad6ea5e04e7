// Half precision and bfloat16: every solver of the library, on products that are made in them.
#include <gtest/gtest.h>

#include "linear/candidates.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

class Halves : public testing::TestWithParam<torch::Dtype> {
 protected:
  torch::Dtype dtype() const { return GetParam(); }
  ResolvedTolerance tolerance() const { return Tolerance{.relative = {}, .absolute = 0.0}.resolved(dtype()); }
  std::vector<double> sizes() const {
    if (dtype() == torch::kHalf) return {1e-3, 1.0, 1e4};
    return {1e-30, 1e-3, 1.0, 1e30};
  }
  // Products round to the dtype; not all of them are made for it on the CPU.
  Map product_with(const Tensor& matrix) const {
    const Tensor narrow = matrix.to(dtype()).to(torch::kFloat);
    return [narrow, dtype = dtype()](const Tensor& v) {
      EXPECT_EQ(v.scalar_type(), dtype);
      return torch::bmm(narrow, v.to(torch::kFloat).unsqueeze(2)).squeeze(2).to(dtype);
    };
  }
};

TEST_P(Halves, AreSolvedByEverySolver) {
  const torch::NoGradGuard no_grad;
  const System contracting = contraction(0.5, true, torch::kDouble);
  const System positive =
      dense_system("definite", torch::eye(10, options()) + 0.1 * definite(torch::kDouble).matrix,
                   normal({3, 10}), torch::kDouble);
  for (const System& system : {contracting, positive}) {
    const std::int64_t width = system.matrix.size(1);
    const Tensor p = system.a.identity_minus ? torch::eye(width, options()) - system.matrix : system.matrix;
    const LinearOperator a{.product = product_with(p), .identity_minus = system.a.identity_minus};
    for (const LinearCandidate& candidate : linear_candidates()) {
      if (!candidate.of_the_library || !candidate.solves(system)) continue;
      for (const double size : sizes()) {
        SCOPED_TRACE(candidate.name + " on " + system.name + " of size " + std::to_string(std::log10(size)));
        const Tensor b = (system.b * size).to(dtype());
        for (const Tensor& x0 : {Tensor(), torch::ones_like(b) * size}) {
          const auto [value, stats] = candidate.solver.solve(a, b, x0, tolerance());
          EXPECT_TRUE(stats.converged()) << stats.full();
          EXPECT_EQ(value.scalar_type(), dtype());
          EXPECT_TRUE(close(value.to(torch::kDouble) / size, system.solution, 0.06));
          const Tensor residual = system.residual(value.to(torch::kDouble)) / size;
          EXPECT_TRUE(residual.isfinite().all().item<bool>());
        }
      }
    }
  }
}

TEST_P(Halves, CountEveryProductAndReportWhatIsReturned) {
  const torch::NoGradGuard no_grad;
  const Tensor p = torch::eye(8, options()) - contraction(0.5, true, torch::kDouble).matrix;
  const Tensor b = normal({3, 8}).to(dtype());
  for (const LinearCandidate& candidate : linear_candidates()) {
    if (!candidate.of_the_library || candidate.needs == LinearCandidate::Needs::Definite) continue;
    std::int64_t calls = 0;
    const Map product = product_with(p);
    const LinearOperator a{.product =
                               [&](const Tensor& v) {
                                 ++calls;
                                 return product(v);
                               },
                           .identity_minus = true};
    const auto [value, stats] = candidate.solver.solve(a, b, {}, tolerance());
    EXPECT_EQ(stats.evaluations, calls) << candidate.name;
    const Tensor wide = value.to(torch::kFloat);
    const Tensor residual = norms_of(b.to(torch::kFloat) - wide + product(value).to(torch::kFloat));
    EXPECT_TRUE(close(vector(stats.residual), residual, 1e-6)) << candidate.name;
  }
}

TEST_P(Halves, AreDifferentiated) {
  const Tensor p = 0.2 * normal({3, 8, 8}), b = normal({3, 8}), g = normal({3, 8});
  const Tensor matrix = torch::eye(8, options()) - p;
  const Tensor expected = torch::linalg_solve(matrix.transpose(1, 2), g.unsqueeze(2)).squeeze(2);
  for (const LinearCandidate& candidate : linear_candidates()) {
    if (!candidate.of_the_library || candidate.needs == LinearCandidate::Needs::Definite) continue;
    SCOPED_TRACE(candidate.name);
    const Tensor leaf = b.to(dtype()).requires_grad_();
    const auto [value, stats] =
        linear_solve(LinearOperator{.product = product_with(p), .identity_minus = true}, leaf,
                     {.solver = candidate.solver, .transposed_solver = candidate.solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    const Tensor u = grad({value}, {leaf}, {g.to(dtype())})[0];
    EXPECT_TRUE(stats.backward->converged()) << stats.backward->full();
    EXPECT_TRUE(close(u, expected, 0.06));
  }
}

TEST_P(Halves, WhoseSolutionOverflowsAreNotSolved) {
  const torch::NoGradGuard no_grad;
  const double small = dtype() == torch::kHalf ? 1e-3 : 1e-20;
  const LinearOperator a{.product = [=](const Tensor& v) { return v * small; }};
  const Tensor b = torch::full({2, 4}, dtype() == torch::kHalf ? 1e3 : 1e30, options(dtype()));
  for (const LinearCandidate& candidate : linear_candidates()) {
    if (!candidate.of_the_library) continue;
    const Stats stats = candidate.solver.solve(a, b, {}, tolerance()).stats;
    EXPECT_EQ(stats.count(Status::Converged), 0) << candidate.name << stats.full();
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Halves, testing::Values(torch::kHalf, torch::kBFloat16),
                         [](const auto& chosen) {
                           return std::string(chosen.param == torch::kHalf ? "Half" : "BFloat16");
                         });

}  // namespace
}  // namespace stillpoint::test
