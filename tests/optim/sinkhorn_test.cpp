// Optimal transport with known plans and derivatives, and what happens where there is none.
#include <gtest/gtest.h>

#include <limits>

#include "optim/rows.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

struct Known {
  Tensor cost = torch::tensor({{{0.0, 1.0, 3.0}, {1.0, 0.0, 1.0}, {3.0, 2.0, 0.0}}}, options());
  Tensor a = vector({.5, .3, .2});
  Tensor b = vector({.2, .2, .6});
  Tensor eps = vector({1.0});
};

// Tighter than the default, by which gradients would have ten digits.
FixedPointOptions tight() {
  return {.gradient = ImplicitGradient{.tolerance = {.relative = 1e-14, .absolute = 0.0}},
          .tolerance = {.relative = 1e-15, .absolute = 1e-15},
          .max_iterations = 2000};
}

TEST(Sinkhorn, HasItsExactPlan) {
  const Known known;
  const auto [plan, f, g, stats] = optim::sinkhorn(known.cost, known.a, known.b, known.eps, tight());
  const Tensor expected = torch::tensor({{.1876426974291, .134534281308, .1778230212629},
                                         {.01184265357939, .06273924453531, .2254181018853},
                                         {.0005146489915447, .002726474156651, .1967588768518}},
                                        options());
  EXPECT_TRUE(close(plan[0], expected, 1e-13));
  EXPECT_NEAR((plan * known.cost).sum().item<double>(), .912260995849348, 1e-14);
  const double value = (plan * known.cost + plan * (plan.log() - 1)).sum().item<double>();
  EXPECT_NEAR(value, -1.88062179538356, 1e-13);
  // The potentials are the gradients of that value, up to a constant.
  EXPECT_TRUE(close(f[0] - f.mean(), vector({1.553880558035, -.2089513266506, -1.344929231385}), 1e-12));
  EXPECT_TRUE(stats.converged());
}

TEST(Sinkhorn, HasTheGradientsOfItsValueAndOfItsCost) {
  Known known;
  known.a.requires_grad_();
  known.cost.requires_grad_();
  const Tensor plan = optim::sinkhorn(known.cost, known.a, known.b, known.eps, tight()).plan;
  const Tensor value = (plan * known.cost + plan * (plan.log() - 1)).sum();
  const Tensor in_a = torch::autograd::grad({value}, {known.a}, {}, true)[0];
  EXPECT_TRUE(close(in_a - in_a.mean(), vector({1.553880558035, -.2089513266506, -1.344929231385}), 1e-12));
  const Tensor moved = (plan * known.cost.detach()).sum();
  EXPECT_NEAR(torch::autograd::grad({moved}, {known.cost})[0][0][0][1].item<double>(), .02685807605672,
              1e-13);
}

TEST(Sinkhorn, SolvesWithALargeRangeOfCosts) {
  const Tensor x = torch::rand({2, 20, 1}, options());
  const Tensor y = torch::rand({2, 1, 30}, options());
  const Tensor cost = (x - y).square();
  const Tensor a = torch::full({20}, 1.0 / 20, options());
  const Tensor b = torch::full({30}, 1.0 / 30, options());
  const auto [plan, f, g, stats] = optim::sinkhorn(cost, a, b, 1e-3);
  EXPECT_TRUE(stats.converged()) << stats.full();
  EXPECT_TRUE(close(plan.sum(2), a.expand({2, 20}), 1e-14));
  EXPECT_TRUE(close(30 * plan.sum(1), torch::ones({2, 30}, options()), 1e-7));
}

TEST(Sinkhorn, SaysWhichSamplesHaveNoPlan) {
  const Known known;
  const Tensor cost = known.cost.expand({5, 3, 3}).clone();
  Tensor a = known.a.expand({5, 3}).clone();
  const Tensor eps = vector({1.0, 1.0, 0.0, 1.0, 1.0});
  a[1] *= 1.5;
  a[3] = vector({.8, .2, 0.0});
  cost[4][0][0] = std::numeric_limits<double>::quiet_NaN();
  const auto result =
      optim::sinkhorn(cost.requires_grad_(), a, known.b, eps, {.on_failure = OnFailure::Ignore});
  const Tensor alone = optim::sinkhorn(known.cost, known.a, known.b, 1.0).plan;
  EXPECT_TRUE(identical(result.plan[0], alone[0]));
  EXPECT_EQ(result.stats.where(Status::NonFinite), (Mask{0, 1, 1, 1, 1}));
  EXPECT_TRUE(result.plan.narrow(0, 1, 4).isnan().all().item<bool>());
  const WarningRecorder quiet;
  const Tensor gradient = torch::autograd::grad({result.plan.square().sum()}, {cost})[0];
  EXPECT_TRUE(torch::isfinite(gradient[0]).all().item<bool>());
  EXPECT_TRUE(gradient.narrow(0, 1, 4).isnan().flatten(1).any(1).all().item<bool>());
}

TEST(Sinkhorn, TakesTheBatchFromAnyArgument) {
  const Known known;
  const Tensor plan = optim::sinkhorn(known.cost, known.a, known.b, 1.0).plan;
  const Tensor cost = known.cost[0];
  EXPECT_TRUE(close(optim::sinkhorn(cost, known.a.unsqueeze(0), known.b, 1.0).plan, plan, 1e-14));
  EXPECT_TRUE(close(optim::sinkhorn(cost, known.a, known.b.unsqueeze(0), 1.0).plan, plan, 1e-14));
  expect_error([&] { optim::sinkhorn(cost, known.a, known.b, 1.0); }, "cost: expected a batch [B, n, m]");
  expect_error([&] { optim::sinkhorn(known.cost, known.b.narrow(0, 0, 2), known.b, 1.0); },
               "a: expected shape [3]");
  expect_error([&] { optim::sinkhorn(known.cost, known.a, Tensor(), 1.0); }, "got an undefined tensor");
}

// Points and the same points turned: the plan is nearly a matching.
TEST(Sinkhorn, SolvesWhereThePlanIsNearlyAMatching) {
  torch::manual_seed(1);
  const Tensor points = normal({20, 30, 2});
  const Tensor angle = torch::rand({20, 1, 1}, torch::kDouble).to(options()) * 2 - 1;
  const Tensor turn =
      torch::cat({torch::cat({angle.cos(), -angle.sin()}, 2), torch::cat({angle.sin(), angle.cos()}, 2)}, 1);
  const Tensor turned = points.matmul(turn);
  const Tensor cost = (points.unsqueeze(2) - turned.unsqueeze(1)).square().sum(3);
  const Tensor mass = torch::full({30}, 1.0 / 30, options());
  for (const double eps : {.1, .05, .02}) {
    const auto transport = optim::sinkhorn(cost, mass, mass, eps);
    EXPECT_TRUE(transport.stats.converged()) << eps << ": " << transport.stats.full();
    EXPECT_TRUE(close(transport.plan.sum(1), mass.expand({20, 30}), 1e-8)) << eps;
  }
}

}  // namespace
}  // namespace stillpoint::test
