// Jumps at declared times: values, first and second derivatives against closed forms.
#include "stillpoint/ode/jumps.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "stillpoint/stillpoint.h"

namespace stillpoint::test {
namespace {

class JumpGradients : public testing::TestWithParam<ode::GradientRule> {};

INSTANTIATE_TEST_SUITE_P(All, JumpGradients,
                         testing::Values(ode::GradientRule(ode::Discrete{}),
                                         ode::GradientRule(ode::Unrolled{}),
                                         ode::GradientRule(ode::Interpolating{}),
                                         ode::GradientRule(ode::Backsolve{})),
                         [](const auto& tested) { return tested.param.name(); });

// y' = 1 before tau and 0 after it. f is told on which side of the jump it is.
TEST_P(JumpGradients, KnowTheTimeOfAJump) {
  for (const auto dtype : {torch::kDouble, torch::kFloat}) {
    for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
      for (const bool falls : {false, true}) {
        const Tensor tau = torch::tensor({.98}, torch::dtype(dtype).requires_grad(true));
        const auto f = [tau](const Tensor& t, const Tensor& y) {
          return (t < tau).to(y.scalar_type()).expand_as(y);
        };
        const auto solution =
            odeint(f, torch::zeros({2, 1}, dtype), falls ? ode::Times{2, 0} : ode::Times{0, 2},
                   {.gradient = GetParam(), .steps = steps, .jumps = {.times = tau}});
        const double sign = falls ? -1 : 1;
        const Tensor y = solution.value.select(1, 1)[1];
        EXPECT_NEAR(y.item<double>(), sign * .98, dtype == torch::kDouble ? 1e-14 : 1e-6);
        EXPECT_NEAR(torch::autograd::grad({y}, {tau})[0].item<double>(), sign, 1e-6);
        EXPECT_EQ(solution.stats.rejected[1], 0);
      }
    }
  }
}

// Doses: y' = −k y, and y += d at declared times; the first where the solve starts.
TEST_P(JumpGradients, FollowDoses) {
  const std::vector<Tensor> p{parameter(.7), parameter(2), parameter(1.25)};
  const auto f = [k = p[0]](const Tensor& y) { return -k * y; };
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    OdeintOptions options = tight_odeint();
    options.gradient = GetParam();
    options.steps = steps;
    options.jumps = {.times = torch::cat({torch::zeros({1}, torch::kDouble), p[2]}),
                     .then = [d = p[1]](const Tensor& y) { return y + d; }};
    const auto [y, stats] = odeint(f, torch::ones({2, 1}, torch::kDouble), {0, 1, 1.25, 2}, options);
    const double k = .7;
    const double d = 2;
    const double tau = 1.25;
    EXPECT_NEAR(y[0][0][0].item<double>(), 1, 0);
    EXPECT_NEAR(y[0][1][0].item<double>(), 3 * std::exp(-k), 1e-9);
    EXPECT_NEAR(y[0][2][0].item<double>(), 3 * std::exp(-k * tau), 1e-9);
    const double rest = std::exp(-k * (2 - tau));
    EXPECT_NEAR(y[0][3][0].item<double>(), 3 * std::exp(-2 * k) + d * rest, 1e-9);
    const Derivatives at_end(y[0][3][0], p);
    EXPECT_NEAR(at_end.first[0], -6 * std::exp(-2 * k) - d * (2 - tau) * rest, 1e-8);
    EXPECT_NEAR(at_end.first[1], std::exp(-2 * k) + rest, 1e-8);
    EXPECT_NEAR(at_end.first[2], d * k * rest, 1e-8);
    EXPECT_NEAR(at_end.second[0][0], 12 * std::exp(-2 * k) + d * (2 - tau) * (2 - tau) * rest, 1e-7);
    EXPECT_NEAR(at_end.second[2][2], d * k * k * rest, 1e-7);
    EXPECT_NEAR(at_end.second[0][2], d * rest * (1 - k * (2 - tau)), 1e-7);
  }
}

}  // namespace
}  // namespace stillpoint::test
