// Doubly stochastic matrices: known ones, hard ones, and what is reported.
#include <gtest/gtest.h>

#include "optim/rows.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

// [[p, 1 − p], [1 − p, p]] nearest to y: p = (y₁₁ + y₂₂ − y₁₂ − y₂₁ + 2) / 4, cut to [0, 1].
TEST(ProjectBirkhoffPolytope, HasItsExactValueForTwoByTwo) {
  const Tensor y = torch::tensor({{{.9, .3}, {-.2, .4}}, {{3.0, .3}, {-.2, .4}}}, options());
  const auto [x, stats] = optim::project_birkhoff_polytope(y);
  EXPECT_TRUE(stats.converged());
  EXPECT_TRUE(close(x[0], torch::tensor({{.8, .2}, {.2, .8}}, options()), 1e-15));
  EXPECT_TRUE(close(x[1], torch::eye(2, options()), 1e-15));
  const auto project = [](const Tensor& t) { return optim::project_birkhoff_polytope(t).value; };
  const Tensor sign = vector({1, -1, -1, 1});
  EXPECT_TRUE(close(jacobian(project, y.narrow(0, 0, 1)), torch::outer(sign, sign) / 4, 1e-15));
  EXPECT_TRUE(close(jacobian(project, y.narrow(0, 1, 1)), zeros({4, 4}), 1e-15));
}

TEST(ProjectBirkhoffPolytope, FindsPermutationsAndStaysAtTheCenter) {
  torch::manual_seed(2);
  const Tensor permutation = torch::eye(12, options()).index_select(0, torch::randperm(12).to(device()));
  const Tensor y = torch::stack({50 * permutation, zeros({12, 12}), permutation});
  const auto [x, stats] = optim::project_birkhoff_polytope(y);
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_TRUE(
      close(x, torch::stack({permutation, torch::full({12, 12}, 1.0 / 12, options()), permutation}), 1e-14));
}

TEST(ProjectBirkhoffPolytope, EndsForLargeAndForTiedMatrices) {
  torch::manual_seed(4);
  const Tensor y = torch::cat({10 * normal({8, 15, 15}), (2 * normal({8, 15, 15})).round()});
  const auto [x, stats] = optim::project_birkhoff_polytope(y);
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_LE((x.sum(1) - 1).abs().max().item<double>(), 1e-13);
  EXPECT_LE((x.sum(2) - 1).abs().max().item<double>(), 1e-13);
  EXPECT_GE(x.min().item<double>(), 0.0);
}

TEST(ProjectBirkhoffPolytope, ReportsPerSampleWhatFailed) {
  Tensor y = normal({3, 6, 6});
  const Tensor alone = optim::project_birkhoff_polytope(y.narrow(0, 0, 1)).value;
  y[2][0][0] = kInfinity;
  const auto [x, stats] = optim::project_birkhoff_polytope(y, {.on_failure = OnFailure::Ignore});
  EXPECT_TRUE(identical(x[0], alone[0]));
  EXPECT_EQ(stats.where(Status::NonFinite), (Mask{0, 0, 1}));
  EXPECT_TRUE(x[2].isnan().all().item<bool>());
  expect_error([&] { optim::project_birkhoff_polytope(y, {.on_failure = OnFailure::Throw}); }, "2 of 3");
  expect_error([&] { optim::project_birkhoff_polytope(y, {.max_iterations = -1}); },
               "max_iterations: expected ≥ 0");
  expect_error([&] { optim::project_birkhoff_polytope(normal({2, 3, 4})); }, "y: expected [B, n, n]");
  const auto early =
      optim::project_birkhoff_polytope(y, {.max_iterations = 0, .on_failure = OnFailure::Ignore}).stats;
  EXPECT_EQ(early.where(Status::MaxIterations), (Mask{1, 1, 0}));
}

}  // namespace
}  // namespace stillpoint::test
