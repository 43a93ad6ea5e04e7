// Methods that are no tableaus: their numbers, what they promise, and their way back.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

// y' = -a y² from y0, after ten steps: the value and its derivatives in a and y0.
struct Known {
  ode::Method method;
  double value;
  double a;
  double y0;
  std::vector<double> second;  // aa, ay, yy; empty: not known
};

std::vector<ode::GradientRule> discrete_rules() {
  return {ode::Discrete{}, ode::Unrolled{}, ode::Reversible{}, ode::Discrete{.checkpoints = 3}};
}

TEST(Stepping, GivesTheKnownNumbers) {
  const Known cases[] = {
      {ode::ReversibleHeun{},
       .3925552562894953,
       -.1537913276827551,
       .2407831628773921,
       {.1181701185085499, -.1924518766304941, -.3127342995245529}},
      {ode::AsynchronousLeapfrog{}, .3928366897540618, -.153282263072849, .2419621846991976, {}}};
  for (const Known& known : cases) {
    for (const ode::GradientRule& rule : discrete_rules()) {
      const Tensor a = parameter(1.3);
      const Tensor y0 = parameter(.8);
      const auto y = odeint([a](const Tensor& s) { return -a * s * s; }, y0.unsqueeze(1), {0, 1},
                            {.method = known.method, .control = ode::ConstantStep{.1}, .gradient = rule})
                         .value.select(1, 1);
      EXPECT_NEAR(y.item<double>(), known.value, 2e-15);
      const Derivatives d(y, {a, y0});
      EXPECT_NEAR(d.first[0], known.a, 1e-14) << known.method.name() << rule.name();
      EXPECT_NEAR(d.first[1], known.y0, 1e-14) << known.method.name() << rule.name();
      if (known.second.empty()) continue;
      EXPECT_NEAR(d.second[0][0], known.second[0], 1e-13) << rule.name();
      EXPECT_NEAR(d.second[0][1], known.second[1], 1e-13) << rule.name();
      EXPECT_NEAR(d.second[1][1], known.second[2], 1e-13) << rule.name();
    }
  }
}

// q'' = -k sin q: kick, drift, kick.
TEST(Stepping, LeapfrogGivesTheKnownNumbers) {
  for (const ode::GradientRule& rule : discrete_rules()) {
    const Tensor k = parameter(1);
    const Tensor q0 = parameter(2);
    const Tensor p0 = parameter(0);
    const auto f = [k](const Tensor& /*t*/, const std::vector<Tensor>& y) {
      return std::vector<Tensor>{y[1], -k * torch::sin(y[0])};
    };
    const auto solution =
        odeint(f, {q0.unsqueeze(1), p0.unsqueeze(1)}, {0, 1},
               {.method = ode::Leapfrog{}, .control = ode::ConstantStep{.05}, .gradient = rule});
    EXPECT_EQ(solution.stats.evaluations, 41) << "two a step, and one to start with";
    const Tensor q = solution.value[0].select(1, 1);
    EXPECT_NEAR(q.item<double>(), 1.53274696771973, 1e-14);
    const Derivatives d(q, {k, q0, p0});
    EXPECT_NEAR(d.first[0], -.4765369356020046, 1e-14) << rule.name();
    EXPECT_NEAR(d.first[1], 1.17608694141713, 1e-14) << rule.name();
    EXPECT_NEAR(d.first[2], 1.048095155528673, 1e-14) << rule.name();
  }
}

Tensor pendulum(const Tensor& y) { return torch::stack({y.select(1, 1), -torch::sin(y.select(1, 0))}, 1); }

TEST(Stepping, SeparableMethodsKeepTheEnergy) {
  const auto error = [](ode::Method method) {
    const Tensor y0 = torch::tensor({{2.0, 0.0}}, torch::kDouble);
    const torch::NoGradGuard no_grad;
    std::vector<double> times;
    for (int k = 0; k <= 1000; ++k) times.push_back(k);
    const Tensor y =
        odeint(pendulum, y0, times, {.method = std::move(method), .control = ode::ConstantStep{.1}}).value;
    const Tensor energy = .5 * y.select(2, 1).square() - torch::cos(y.select(2, 0));
    return (energy - energy[0][0]).abs().max().item<double>();
  };
  EXPECT_LT(error(ode::Leapfrog{}), 3e-3);
  EXPECT_LT(error(ode::SemiImplicitEuler{}), 7e-2);
  EXPECT_GT(error(ode::Heun{}), 1e-1) << "an explicit method does not";
}

// Ten thousand steps in float, back to where they started: y turns by the angle w t.
TEST(Stepping, TenThousandStepsAreTakenBackInFloat) {
  const Tensor y0 = torch::tensor({{1.0f, 0.0f}}).requires_grad_(true);
  const Tensor w = torch::tensor(1.1f, torch::requires_grad());
  const auto turn = [w](const Tensor& y) { return w * torch::stack({y.select(1, 1), -y.select(1, 0)}, 1); };
  const auto [y, stats] = odeint(turn, y0, {0, 20},
                                 {.method = ode::ReversibleHeun{},
                                  .control = ode::ConstantStep{.002},
                                  .gradient = ode::Reversible{},
                                  .max_steps = 10000});
  EXPECT_EQ(stats.accepted[0], 10000);
  const auto g = torch::autograd::grad({y.select(1, 1).sum()}, {y0, w});
  const double angle = 1.1 * 20;
  EXPECT_NEAR(g[0][0][0].item<double>(), std::cos(angle) - std::sin(angle), 2e-4);
  EXPECT_NEAR(g[0][0][1].item<double>(), std::cos(angle) + std::sin(angle), 2e-4);
  EXPECT_NEAR(g[1].item<double>(), 20 * (-std::sin(angle) - std::cos(angle)), 4e-3);
}

TEST(Stepping, SaysWhereTheWayBackIsLost) {
  // Decay by e⁻⁴⁰: its way back multiplies rounding by as much.
  const Tensor y0 = torch::ones({1, 1}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto decay = [](const Tensor& y) { return -40 * y; };
  const OdeintOptions options{
      .method = ode::ReversibleHeun{}, .control = ode::ConstantStep{.002}, .gradient = ode::Reversible{}};
  const auto [y, stats] = odeint(decay, y0, {0, 1}, options);
  EXPECT_THROW(y.sum().backward(), c10::Error);
  ASSERT_EQ(stats.backward->reconstruction.size(), 1U);
  EXPECT_GT(stats.backward->reconstruction[0], 1.0) << stats.backward->full();
  OdeintOptions other = options;
  other.method = ode::Tsit5{};
  EXPECT_THROW(odeint(decay, y0, {0, 1}, other), c10::Error) << "it cannot go back";
  OdeintOptions jumps = options;
  jumps.jumps = {.times = torch::tensor({.5}, torch::kDouble)};
  EXPECT_THROW(odeint(decay, y0, {0, 1}, jumps), c10::Error) << "it cannot go back over a jump";
}

TEST(Stepping, ReportsWhichSampleLostItsWayBack) {
  const Tensor rate = torch::tensor({{.1}, {40.0}, {.2}}, torch::kDouble);
  const Tensor y0 = torch::ones({3, 1}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto [y, stats] = odeint([rate](const Tensor& s) { return -rate * s; }, y0, {0, 1},
                                 {.method = ode::ReversibleHeun{},
                                  .control = ode::ConstantStep{.002},
                                  .gradient = ode::Reversible{.on_failure = OnFailure::Ignore}});
  EXPECT_TRUE(stats.backward->reconstruction.empty());
  y.select(1, 1).sum().backward();
  const auto& missed = stats.backward->reconstruction;
  ASSERT_EQ(missed.size(), 3U);
  EXPECT_LT(missed[0], 1e-3);
  EXPECT_GT(missed[1], 1.0);
  EXPECT_LT(missed[2], 1e-3);
  EXPECT_NEAR(y0.grad()[2].item<double>(), std::exp(-.2), 1e-6);
}

TEST(Stepping, NeedsWhatItSays) {
  const Tensor y0 = torch::ones({1, 3}, torch::kDouble);
  EXPECT_THROW(odeint(pendulum, y0, {0, 1}, {.method = ode::Leapfrog{}, .control = ode::ConstantStep{.1}}),
               c10::Error)
      << "three numbers are no positions and momenta";
  EXPECT_THROW(odeint(pendulum, y0.narrow(1, 0, 2), {0, 1}, {.method = ode::Leapfrog{}}), c10::Error)
      << "it has no estimate of the error";
}

// One evaluation a step, two for Adams, whose first three steps have four.
TEST(Stepping, CostsWhatItSays) {
  const auto evaluations = [](ode::Method method) {
    return odeint([](const Tensor& y) { return -y; }, torch::ones({2, 2}, torch::kDouble), {0, 1},
                  {.method = std::move(method), .control = ode::ConstantStep{.05}})
        .stats.evaluations;
  };
  EXPECT_EQ(evaluations(ode::ReversibleHeun{}), 21);
  EXPECT_EQ(evaluations(ode::AsynchronousLeapfrog{}), 21);
  EXPECT_EQ(evaluations(ode::AdamsBashforthMoulton{}), 1 + 3 * 4 + 17 * 2);
}

// Steps of other lengths, per sample: each row as it is alone.
TEST(Stepping, AdamsStartsAnewWhereTheStepChanges) {
  const auto f = [](const Tensor& t, const Tensor& y) { return y * torch::cos(t); };
  const OdeintOptions options{
      .method = ode::AdamsBashforthMoulton{}, .control = ode::ConstantStep{.02}, .stop_at_outputs = true};
  const Tensor t = torch::tensor({{0.0, .5, 1.31, 2.0}, {0.0, .1, .13, 2.0}}, torch::kDouble);
  const Tensor y0 = torch::ones({2, 1}, torch::kDouble);
  const auto y = odeint(f, y0, t, options).value;
  EXPECT_TRUE(close(y.squeeze(2), torch::exp(torch::sin(t)), 1e-7));
  for (int row = 0; row < 2; ++row) {
    const auto alone = odeint(f, y0.narrow(0, row, 1), t.narrow(0, row, 1), options).value;
    EXPECT_TRUE(identical(alone, y.narrow(0, row, 1))) << row;
  }
}

// As in docs/extending.md.
struct AdamsBashforth2 {
  static constexpr int order = 2;

  std::vector<Tensor> begin(const ode::SlopeFunction& f, const Tensor& t, const Tensor& y) const {
    return {f(t, y)};
  }
  ode::Stepped step(const ode::SlopeFunction& f, const ode::Interval& interval, const Tensor& y,
                    const std::vector<Tensor>& memory) const {
    const Tensor slope = f(interval.time(0.0), y);
    return {y + interval.length * (1.5 * slope - 0.5 * memory[0]), {slope}};
  }
};

struct Forgetful : AdamsBashforth2 {
  ode::Stepped step(const ode::SlopeFunction& /*f*/, const ode::Interval& /*interval*/, const Tensor& y,
                    const std::vector<Tensor>& /*memory*/) const {
    return {y};
  }
};

TEST(Stepping, TakesAMethodOfYourOwn) {
  const auto f = [](const Tensor& t, const Tensor& y) { return y * torch::cos(t); };
  const auto error = [&](double step) {
    const auto y = odeint(f, torch::ones({1, 1}, torch::kDouble), {0, 2},
                          {.method = AdamsBashforth2{}, .control = ode::ConstantStep{step}});
    return std::abs(y.value[0][1][0].item<double>() - std::exp(std::sin(2.0)));
  };
  EXPECT_NEAR(std::log2(error(.02) / error(.01)), 2, .1);
  EXPECT_THROW(odeint(f, torch::ones({1, 1}, torch::kDouble), {0, 2},
                      {.method = Forgetful{}, .control = ode::ConstantStep{.1}}),
               c10::Error);
}

TEST(Stepping, AdaptiveStepsKeepTheTolerance) {
  for (const ode::Method& method :
       {ode::Method(ode::ReversibleHeun{}), ode::Method(ode::AsynchronousLeapfrog{})}) {
    const auto [y, stats] = odeint(pendulum, torch::tensor({{2.0, 0.0}, {1.0, .5}}, torch::kDouble), {0, 5},
                                   {.method = method,
                                    .tolerance = {.relative = 1e-5, .absolute = 1e-6},
                                    .steps = ode::Steps::PerSample});
    const auto right = odeint(pendulum, y.select(1, 0), {0, 5}, tight_odeint()).value;
    EXPECT_TRUE(stats.finished());
    EXPECT_TRUE(close(y, right, 1e-2)) << method.name();
    EXPECT_GT(stats.rejected[0] + stats.rejected[1], 0);
  }
}

}  // namespace
}  // namespace stillpoint::test
