// Each sample for itself: failure, singular matrices, neighbors.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "core/rows/rows.h"
#include "linear/candidates.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

constexpr std::int64_t kPoisoned = 2;
// Symmetric contractions of these rates, one a sample.
System with_rates(const std::vector<double>& rates) {
  std::vector<Tensor> samples;
  for (const double rate : rates) {
    samples.push_back(torch::eye(6, torch::kDouble) - affine_matrix(6, rate, true));
  }
  const auto batch = static_cast<std::int64_t>(rates.size());
  return dense_system("rates", torch::stack(samples).to(options()), normal({batch, 6}), torch::kDouble,
                      /*identity_minus=*/true);
}

Tensor only(std::int64_t sample, std::int64_t batch) {
  return torch::arange(batch, torch::TensorOptions(device())).unsqueeze(1) == sample;
}

System with_bad_right_side(System system, double poison) {
  system.b = system.b.masked_fill(only(kPoisoned, system.b.size(0)), poison);
  return system;
}

// The product of one sample is spoiled from product `from` on.
System with_bad_products(System system, double poison, int from) {
  const auto count = std::make_shared<int>(0);
  system.a.product = [=, product = system.a.product](const Tensor& v) {
    const Tensor good = product(v);
    return (*count)++ < from ? good : good.masked_fill(only(kPoisoned, v.size(0)), poison);
  };
  return system;
}

void expect_others_identical(const LinearCandidate& candidate, const System& good, const System& bad) {
  SCOPED_TRACE(candidate.name);
  const auto expected = candidate.solver.solve(good.a, good.b, {}, kTolerance);
  const auto actual = candidate.solver.solve(bad.a, bad.b, {}, kTolerance);
  ASSERT_TRUE(expected.stats.converged()) << expected.stats.full();
  for (std::int64_t i = 0; i < good.b.size(0); ++i) {
    SCOPED_TRACE("sample " + std::to_string(i));
    if (i == kPoisoned) {
      EXPECT_EQ(actual.stats.status[i], Status::NonFinite) << actual.stats.full();
    } else {
      EXPECT_TRUE(identical(actual.value[i], expected.value[i]));
      EXPECT_EQ(actual.stats.status[i], Status::Converged) << actual.stats.full();
      EXPECT_EQ(actual.stats.iterations[i], expected.stats.iterations[i]);
      EXPECT_NEAR(actual.stats.residual[i], expected.stats.residual[i], 1e-15);
    }
  }
}

class Samples : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) aten_ = std::make_unique<detail::AtenPathGuard>();
  }

 private:
  torch::NoGradGuard no_grad_;
  std::unique_ptr<detail::AtenPathGuard> aten_;
};

TEST_P(Samples, ThatFailLeaveTheOthersAsTheyAre) {
  // The automatic choice follows the slowest sample, which is not the poisoned one: with the first rates it
  // stays with Neumann, with the second ones it does not.
  for (const auto& rates : std::vector<std::vector<double>>{{0.3, 0.6, 0.5, 0.1}, {0.3, 0.9, 0.5, 0.0}}) {
    const System good = with_rates(rates);
    for (const LinearCandidate& candidate : linear_candidates()) {
      if (!candidate.of_the_library) continue;
      for (const double poison : {NAN, INFINITY, -INFINITY}) {
        expect_others_identical(candidate, good, with_bad_right_side(good, poison));
        expect_others_identical(candidate, good, with_bad_products(good, poison, 0));
        if (candidate.limited) expect_others_identical(candidate, good, with_bad_products(good, poison, 2));
      }
    }
  }
}

TEST_P(Samples, DoNotDependOnTheirNeighbors) {
  const System system = with_rates({0.3, 0.9, 0.5});
  System changed = system;
  changed.b = system.b * vector({3.0, 1.0, 0.0}).unsqueeze(1);
  for (const LinearCandidate& candidate : linear_candidates()) {
    const auto together = candidate.solver.solve(system.a, system.b, {}, kTolerance);
    const auto elsewhere = candidate.solver.solve(changed.a, changed.b, {}, kTolerance);
    EXPECT_TRUE(identical(elsewhere.value[1], together.value[1])) << candidate.name;
    EXPECT_EQ(elsewhere.stats.iterations[1], together.stats.iterations[1]) << candidate.name;
    EXPECT_TRUE(identical(elsewhere.value[2], zeros({6}))) << candidate.name;
  }
}

TEST_P(Samples, ThatAreSingularAreReportedAndTheOthersSolved) {
  System system = with_rates({0.3, 0.6, 0.5});
  // The last row and column of one sample vanish, where its right-hand side does not: no solution.
  const Tensor keep = torch::ones({3, 6}, options());
  keep[1][5] = 0.0;
  const Tensor matrix = system.matrix * keep.unsqueeze(2) * keep.unsqueeze(1);
  system.matrix = matrix;
  system.a = {.product = [=](const Tensor& v) { return torch::bmm(matrix, v.unsqueeze(2)).squeeze(2); }};
  for (const LinearCandidate& candidate : linear_candidates()) {
    if (!candidate.of_the_library) continue;
    SCOPED_TRACE(candidate.name);
    const LinearSolver solver = candidate.limited ? candidate.limited(100) : candidate.solver;
    const auto [value, stats] = solver.solve(system.a, system.b, {}, kTolerance);
    EXPECT_NE(stats.status[1], Status::Converged) << stats.full();
    EXPECT_TRUE(value.isfinite().all().item<bool>());
    EXPECT_TRUE(close(vector(stats.residual), system.residual(value), 1e-9));
    EXPECT_GE(stats.residual[1], 0.99 * std::abs(system.b[1][5].item<double>()));
    for (const std::int64_t i : {0, 2}) {
      EXPECT_EQ(stats.status[i], Status::Converged) << stats.full();
      EXPECT_TRUE(close(value[i], system.solution[i], 1e-9));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, Samples, testing::Bool(), [](const auto& path) {
  return path.param ? std::string("Aten") : std::string("Fused");
});

}  // namespace
}  // namespace stillpoint::test
