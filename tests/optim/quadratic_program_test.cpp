// Small programs whose solutions, duals and derivatives are known as fractions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::ProgramStatus;
using optim::QuadraticProgram;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kExact = 1e-11;
const QuadraticProgramOptions kQuiet{.on_failure = OnFailure::Ignore};

Tensor gradient(const Tensor& of, const Tensor& in) { return gradients(of.sum(), {in}, true)[0]; }

TEST(QuadraticProgramCase, IgnoresInfiniteSides) {
  const Tensor p = leaf({66, 93, 47, 11});
  const Tensor G = vector({0, -1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0})
                       .view({5, 4})
                       .requires_grad_(true);
  const Tensor h = leaf({.4, 1, .5, 1, kInfinity});
  const auto s = quadratic_program(
      {.Q = vector({122, 59, 39, 9, 59, 95, 48, 24, 39, 48, 26, 19, 9, 24, 19, 90}).view({4, 4}),
       .p = p,
       .G = G,
       .h = h});
  EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(close(s.x, row({43. / 237, 2. / 237, -186. / 79, 28. / 79}), kExact));
  EXPECT_TRUE(close(s.z, zeros({1, 5}), 0));
  EXPECT_EQ(s.slack[0][4].item<double>(), kInfinity);
  EXPECT_TRUE(
      close(gradient(s.x, p), vector({9788. / 18723, 35647. / 18723, -28929. / 6241, 2543. / 6241}), kExact));
  EXPECT_TRUE(close(gradient(s.x, h), zeros({5}), 0));
  EXPECT_TRUE(close(gradient(s.x, G), zeros({5, 4}), 0));
}

TEST(QuadraticProgramCase, HasValuesDualsAndDerivatives) {
  const Tensor p = leaf({-13, 15, 7});
  const Tensor G = leaf({1, 2, 1, 2, 0, 1, -1, 2, -1}, {3, 3});
  const Tensor h = leaf({3, 2, -2});
  const Tensor b = leaf({1});
  const auto s = quadratic_program({.Q = vector({65, -22, -16, -22, 14, 7, -16, 7, 5}).view({3, 3}),
                                    .p = p,
                                    .G = G,
                                    .h = h,
                                    .A = torch::ones({1, 3}, options()),
                                    .b = b});
  EXPECT_TRUE(close(s.x, row({4. / 13, -9. / 13, 18. / 13}), kExact));
  EXPECT_TRUE(close(s.z, row({0, 53. / 13, 0}), kExact));
  EXPECT_TRUE(close(s.y, row({-107. / 13}), kExact));
  const auto g = gradients((vector({1, 2, 3}) * s.x).sum(), {p, h, b, G});
  EXPECT_TRUE(close(g[0], vector({3. / 91, 3. / 91, -6. / 91}), kExact));
  EXPECT_TRUE(close(g[1], vector({0, 100. / 91, 0}), kExact));
  EXPECT_TRUE(close(g[2], vector({116. / 91}), kExact));
  EXPECT_TRUE(close(g[3][1], vector({-.203719357566, .895181741336, -1.79036348267}), kExact));
}

TEST(QuadraticProgramCase, TakesDependentEqualities) {
  const Tensor p = leaf({1, -1, 0});
  const Tensor b = leaf({1, 2, 0});
  const Tensor A = vector({1, 1, 1, 2, 2, 2, 1, 0, -1}).view({3, 3});
  const Tensor Q = torch::diag(vector({2, 1, 3}));
  const auto s = quadratic_program({.Q = Q, .p = p, .A = A, .b = b});
  EXPECT_TRUE(close(s.x, row({-1. / 9, 11. / 9, -1. / 9}), kExact));
  EXPECT_TRUE(close(s.y, row({-2. / 45, -4. / 45, -5. / 9}), kExact));
  EXPECT_TRUE(s.stats.dual_not_unique[0]);
  const auto g = gradients(s.x[0][0], {p, b});
  EXPECT_TRUE(close(g[0], vector({-1. / 9, 2. / 9, -1. / 9}), kExact));
  EXPECT_NEAR((g[1] * vector({1, 2, 0})).sum().item<double>(), 2. / 9, kExact);
  EXPECT_NEAR(g[1][2].item<double>(), 5. / 9, kExact);

  const auto none = quadratic_program({.Q = Q, .p = p, .A = A, .b = vector({1, 3, 0})}, kQuiet);
  EXPECT_EQ(none.stats.status[0], ProgramStatus::Infeasible);
  EXPECT_TRUE(close(none.certificate.y, row({2, -1, 0}), kExact));
  EXPECT_TRUE(none.x.isnan().all().item<bool>());
}

TEST(QuadraticProgramCase, TakesBounds) {
  const Tensor a = vector({-.5, 1}).view({2, 1}).requires_grad_(true);
  const auto s = quadratic_program(
      {.Q = torch::ones({1, 1}, options()), .p = a, .lower = zeros({1}), .upper = vector({1})});
  EXPECT_TRUE(close(s.x, vector({.5, 0}).view({2, 1}), kExact));
  EXPECT_TRUE(close(s.lower, vector({0, 1}).view({2, 1}), kExact));
  EXPECT_TRUE(close(s.upper, zeros({2, 1}), kExact));
  const Tensor value = s.x.square() / 2 + a * s.x - 1;
  EXPECT_TRUE(close(value, vector({-9. / 8, -1}).view({2, 1}), kExact));
  EXPECT_TRUE(close(gradient(value, a), vector({.5, 0}).view({2, 1}), kExact));
}

TEST(QuadraticProgramCase, LandsOnBoundsWithoutRounding) {
  torch::manual_seed(11);
  const Tensor root = torch::randn({50, 6, 6}, torch::kDouble).to(options());
  const Tensor lower = torch::full({6}, -.1, options());
  const auto s = quadratic_program({.Q = root.matmul(root.transpose(1, 2)),
                                    .p = torch::randn({50, 6}, torch::kDouble).to(options()),
                                    .A = torch::ones({1, 6}, options()),
                                    .b = torch::ones({1}, options()),
                                    .lower = lower});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE((s.x >= lower).all().item<bool>());
  EXPECT_TRUE((s.x == lower).any().item<bool>());
}

TEST(LinearProgramCase, SolvesAtAVertex) {
  const Tensor p = leaf({-3, -5});
  const Tensor h = leaf({4, 12, 18, 0, 0});
  const auto s =
      quadratic_program({.p = p, .G = vector({1, 0, 0, 2, 3, 2, -1, 0, 0, -1}).view({5, 2}), .h = h});
  EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(close(s.x, row({2, 6}), kExact));
  EXPECT_TRUE(close(s.z, row({0, 1.5, 1, 0, 0}), kExact));
  EXPECT_TRUE(close(gradient(s.x.select(1, 0), h), vector({0, -1. / 3, 1. / 3, 0, 0}), kExact));
  EXPECT_TRUE(close(gradient(s.x.select(1, 1), h), vector({0, .5, 0, 0, 0}), kExact));
  EXPECT_TRUE(close(gradient(s.x, p), zeros({2}), 0));
}

TEST(LinearProgramCase, RefusesTheGradientOfASolutionThatIsNotUnique) {
  const Tensor p = leaf({-1, -1});
  const auto s = quadratic_program(
      {.p = p, .G = vector({1, 1, -1, 0, 0, -1}).view({3, 2}), .h = vector({1, 0, 0})}, kQuiet);
  EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(s.stats.primal_not_unique[0]);
  EXPECT_NEAR(s.x.sum().item<double>(), 1, kExact);
  EXPECT_TRUE(gradient(s.x, p).isnan().all().item<bool>());
}

TEST(QuadraticProgramCase, ProvesThatThereIsNoPoint) {
  const Tensor h = leaf({1, -1, -1});
  const auto s = quadratic_program(
      {.Q = torch::eye(2, options()), .G = vector({1, 1, -1, 0, 0, -1}).view({3, 2}), .h = h}, kQuiet);
  EXPECT_EQ(s.stats.status[0], ProgramStatus::Infeasible);
  EXPECT_TRUE(close(s.certificate.z, row({1, 1, 1}), 1e-8));
  EXPECT_TRUE(s.x.isnan().all().item<bool>());
  EXPECT_TRUE(gradient(s.x, h).isnan().all().item<bool>());
}

TEST(QuadraticProgramCase, ProvesThatThereIsNoMinimum) {
  const auto s = quadratic_program(
      {.Q = torch::diag(vector({1, 0})), .p = vector({0, -1}), .lower = zeros({2})}, kQuiet);
  EXPECT_EQ(s.stats.status[0], ProgramStatus::Unbounded);
  EXPECT_TRUE(close(s.ray, row({0, 1}), 1e-8));
  const auto free = quadratic_program({.Q = torch::diag(vector({1, 0})), .p = vector({0, -1})}, kQuiet);
  EXPECT_EQ(free.stats.status[0], ProgramStatus::Unbounded);
  EXPECT_TRUE(close(free.ray, row({0, 1}), 1e-8));
}

TEST(QuadraticProgramCase, FlagsDegenerateRows) {
  const Tensor c = vector({2, 2, 2, 1}).view({2, 2}).requires_grad_(true);
  const auto s = quadratic_program({.Q = torch::eye(2, options()),
                                    .p = -c,
                                    .G = vector({1, 0, 0, 1, 1, 1}).view({3, 2}),
                                    .h = vector({1, 1, 2})},
                                   kQuiet);
  EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(close(s.x, torch::ones({2, 2}, options()), kExact));
  EXPECT_TRUE(s.stats.dual_not_unique[0]);
  EXPECT_TRUE(s.stats.weakly_active[1]);
  EXPECT_NEAR((s.z[0][0] + s.z[0][2]).item<double>(), 1, kExact);
  EXPECT_NEAR((s.z[0][1] + s.z[0][2]).item<double>(), 1, kExact);
  EXPECT_TRUE(close(gradient(s.x[0], c), zeros({2, 2}), kExact));
  EXPECT_TRUE(close(gradient(s.x[1][0], c), zeros({2, 2}), kExact));
  const Tensor kink = gradient(s.x[1][1], c)[1];
  EXPECT_NEAR(kink[0].item<double>(), 0, kExact);
  EXPECT_GE(kink[1].item<double>(), -kExact);
  EXPECT_LE(kink[1].item<double>(), 1 + kExact);
}

}  // namespace
}  // namespace stillpoint::test
