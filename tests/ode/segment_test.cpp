// Continuous adjoints through events and jumps: against the discrete gradient and closed forms.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

using Loss = std::function<Tensor(const OdeintOptions& options)>;

std::vector<Tensor> gradients_in(const Tensor& loss, const std::vector<Tensor>& in) {
  auto all = torch::autograd::grad({loss}, in, {}, true, false, true);
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!all[i].defined()) all[i] = torch::zeros_like(in[i]);
  }
  return all;
}

class SegmentedAdjoints : public testing::TestWithParam<ode::GradientRule> {
 protected:
  static OdeintOptions options_with(const ode::GradientRule& rule) {
    OdeintOptions options = tight_odeint();
    options.gradient = rule;
    return options;
  }

  // First derivatives, and those of a sum of them, are those of the discrete gradient.
  static void expect_discrete(const Loss& loss, const std::vector<Tensor>& in, bool second = true) {
    const OdeintOptions right = options_with(ode::Discrete{});
    compare(gradients_in(loss(options_with(GetParam())), in), gradients_in(loss(right), in), 1e-7);
    if (!second) return;
    OdeintOptions options = options_with(GetParam());
    options.tolerance = {.relative = 1e-8, .absolute = 1e-10};
    compare(second_derivatives(loss(options), in), second_derivatives(loss(right), in), 1e-5);
  }

 private:
  static std::vector<Tensor> second_derivatives(const Tensor& loss, const std::vector<Tensor>& in) {
    const auto first = torch::autograd::grad({loss}, in, {}, true, true, true);
    Tensor sum = torch::zeros({}, torch::kDouble);
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (first[i].defined()) sum = sum + (static_cast<double>(i) + 1) * first[i].sin().sum();
    }
    return gradients_in(sum, in);
  }

  static void compare(const std::vector<Tensor>& found, const std::vector<Tensor>& right, double tolerance) {
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(close(found[i], right[i], tolerance)) << i;
  }
};

INSTANTIATE_TEST_SUITE_P(All, SegmentedAdjoints,
                         testing::Values(ode::GradientRule(ode::Interpolating{}),
                                         ode::GradientRule(ode::Backsolve{})),
                         [](const auto& tested) { return tested.param.name(); });

// A ball that is hit at known times, one of them where an output is: in y0, all times, the acceleration and
// the strength of the hits, with joint steps and with those of each sample.
TEST_P(SegmentedAdjoints, FollowABallThatIsHitAtKnownTimes) {
  const Tensor y0 = torch::tensor({{1.0, .5}, {2.0, -.25}}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor t = torch::tensor({.1, .8, 1.2, 2.0}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor tau = torch::tensor({1.5, .8}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor g = parameter(2);
  const Tensor c = parameter(.75);
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    const Loss loss = [&](OdeintOptions options) {
      options.steps = steps;
      options.jumps = {.times = tau, .then = [c](const Tensor& at, const Tensor& y) {
                         return row({y.select(1, 0), -c * y.select(1, 1) + at.flatten() * c});
                       }};
      const auto f = [g](const Tensor& at, const Tensor& y) {
        return row({y.select(1, 1), -g * y.select(1, 0).sin() + at.flatten().cos()});
      };
      return odeint(f, y0, t, options).value.square().mul(torch::arange(8).view({4, 2})).sum();
    };
    expect_discrete(loss, {y0, t, tau, g, c}, steps == ode::Steps::Joint);
  }
}

// Samples that end at different times, one of them never, with outputs on the way: in y0, times, and what f,
// its inputs, the event and its map captured.
TEST_P(SegmentedAdjoints, EndSamplesAtDifferentTimes) {
  const auto real = torch::dtype(torch::kDouble);
  const Tensor y0 = torch::tensor({{1.0}, {.5}, {-3.0}}, real).requires_grad_(true);
  const Tensor t =
      torch::tensor({{0.0, .2, .5, 2.0}, {.1, .3, .6, 3.0}, {0.0, .5, .7, 1.0}}, real).requires_grad_(true);
  const Tensor k = torch::tensor({{1.0}, {1.5}, {.5}}, real).requires_grad_(true);
  const Tensor level = parameter(2);
  const Tensor factor = parameter(.4);
  const Tensor w = parameter(1.3);
  for (const std::int64_t terminal : {1, 2, 0}) {
    const Loss loss = [&](OdeintOptions options) {
      options.events = {{.when = [level](const Tensor& y) { return y.select(1, 0) - level; },
                         .terminal = terminal,
                         .then = [factor](const Tensor& y) { return factor * y; }}};
      const ode::VectorField f{[w](const Tensor& at, const Tensor& y, const std::vector<Tensor>& inputs) {
                                 return inputs[0] * y + .1 * torch::sin(w * at);
                               },
                               {k}};
      const auto solution = odeint(f, y0, t, options);
      EXPECT_EQ(solution.stats.status[2], ode::Status::Finished);
      EXPECT_EQ(solution.events.which[2].size(), 0U);
      EXPECT_EQ(solution.events.which[0].size(), terminal == 1 ? 1U : 2U);
      const Tensor times = solution.events.time;
      const Tensor states = solution.events.y;
      Tensor sum = torch::zeros({}, torch::kDouble);
      for (const Tensor& part : {times, states, solution.value})
        sum = sum + torch::where(part.isnan(), torch::zeros_like(part), part.square()).sum();
      return sum;
    };
    expect_discrete(loss, {y0, t, k, level, factor, w}, terminal == 1);
  }
}

// A threshold between two jumps of f, one before and one after the event, in a list of states.
TEST_P(SegmentedAdjoints, GoThroughEventsAndJumpsOfF) {
  using State = std::vector<Tensor>;
  const Tensor a = torch::tensor({{.2}, {.6}}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor tau = torch::tensor({{.5, 2.0}, {.25, 2.5}}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor level = parameter(1.2);
  const Loss loss = [&](OdeintOptions options) {
    options.jumps.times = tau;
    options.events = {{.when = [level](const State& y) { return y[0].select(1, 0) - level; },
                       .terminal = 0,
                       .then =
                           [level](const State& y) {
                             return State{y[0] * .1, y[1] + level};
                           }}};
    const auto f = [tau](const Tensor& t, const State& y) {
      const Tensor on =
          torch::logical_and(t >= tau.select(1, 0).unsqueeze(1), t < tau.select(1, 1).unsqueeze(1));
      return State{torch::where(on, y[0] + y[1], -.5 * y[0]), torch::cos(t) * y[0]};
    };
    const auto solution = odeint(f, State{a, a * a}, {0, 1, 3}, options);
    return solution.value[0].sum() + solution.value[1].square().sum() + solution.events.time.nansum();
  };
  expect_discrete(loss, {a, tau, level}, /*second=*/false);
}

// An event that never happens changes nothing.
TEST_P(SegmentedAdjoints, OfAnEventThatNeverHappens) {
  const Tensor y0 = torch::tensor({{1.0}, {2.0}}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor a = parameter(.7);
  const Tensor level = parameter(50);
  OdeintOptions options = options_with(GetParam());
  options.events = {{.when = [level](const Tensor& y) { return y.select(1, 0) - level; }}};
  const auto [y, stats] = odeint([a](const Tensor& s) { return -a * s; }, y0, {0, 1, 2}, options);
  EXPECT_EQ(stats.count(ode::Status::Finished), 2);
  const auto g = gradients_in(y.select(1, 2).sum(), {y0, a, level});
  EXPECT_NEAR(g[0][1].item<double>(), std::exp(-1.4), 1e-9);
  EXPECT_NEAR(g[1].item<double>(), -6 * std::exp(-1.4), 1e-8);
  EXPECT_EQ(g[2].item<double>(), 0);
  ASSERT_TRUE(stats.backward);
  EXPECT_GT(stats.backward->accepted.at(1), 0);
}

// The report is that of all segments of the latest pass.
TEST_P(SegmentedAdjoints, ReportOnAllSegments) {
  const Tensor y0 = torch::tensor({{1.0}}, torch::dtype(torch::kDouble).requires_grad(true));
  OdeintOptions options = options_with(GetParam());
  options.control = ode::ConstantStep{.125};
  options.jumps.times = torch::tensor({1.0, 2.0}, torch::kDouble);
  const auto [y, stats] = odeint([](const Tensor& s) { return -s; }, y0, {0, .5, 3}, options);
  const auto accepted = [&, &y = y, &stats = stats](std::int64_t k) {
    gradients_in(y.select(1, k).sum(), {y0});
    return stats.backward->accepted.at(0);
  };
  EXPECT_EQ(accepted(2), 24);
  EXPECT_EQ(accepted(1), 8);
  EXPECT_EQ(accepted(2), 24);
  EXPECT_TRUE(stats.backward->finished());
}

// A sample that blows up after a jump: what it had before has a gradient, what it did not reach has none.
TEST_P(SegmentedAdjoints, KnowNoGradientAfterAFailure) {
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    const Tensor k = parameter(1);
    const Tensor y0 = torch::tensor({{1.0}, {.3}}, torch::dtype(torch::kDouble).requires_grad(true));
    OdeintOptions options = options_with(GetParam());
    options.on_failure = OnFailure::Ignore;
    options.steps = steps;
    options.jumps = {.times = torch::tensor({.75, 1.5}, torch::kDouble),
                     .then = [](const Tensor& y) { return y * 1; }};
    const auto [y, stats] = odeint([k](const Tensor& s) { return k * s * s; }, y0, {0, .5, 2}, options);
    EXPECT_NE(stats.status[0], ode::Status::Finished);
    EXPECT_TRUE(std::isnan(y[0][2][0].item<double>()));
    const auto before = gradients_in(y.select(1, 1).sum() + y[1][2].sum(), {y0, k});
    EXPECT_NEAR(before[0][0].item<double>(), 4, 1e-7);
    EXPECT_NEAR(before[0][1].item<double>(), 1 / std::pow(.85, 2) + 1 / std::pow(.4, 2), 1e-7);
    EXPECT_NEAR(before[1].item<double>(), .5 / .25 + .5 * .09 / std::pow(.85, 2) + 2 * .09 / std::pow(.4, 2),
                1e-6);
    const auto after = gradients_in(y.select(1, 2).sum(), {y0, k});
    EXPECT_TRUE(std::isnan(after[0][0].item<double>()));
    EXPECT_NEAR(after[0][1].item<double>(), 1 / std::pow(.4, 2), 1e-7);
    EXPECT_TRUE(std::isnan(after[1].item<double>()));
  }
}

TEST_P(SegmentedAdjoints, OfAnEmptyBatch) {
  const Tensor y0 = torch::ones({0, 3}, torch::dtype(torch::kDouble).requires_grad(true));
  OdeintOptions options = options_with(GetParam());
  options.events = {{.when = [](const Tensor& y) { return y.sum(1); }}};
  const auto solution = odeint([](const Tensor& s) { return -s; }, y0, {0, .5, 1}, options);
  EXPECT_EQ(gradients_in(solution.value.sum(), {y0})[0].sizes(), y0.sizes());
}

TEST_P(SegmentedAdjoints, RefuseWhatTheyCannotGoThrough) {
  const auto f = [](const Tensor& y) { return -y; };
  const Tensor y0 = torch::ones({1, 2}, torch::dtype(torch::kDouble).requires_grad(true));
  OdeintOptions dense = options_with(GetParam());
  dense.jumps.times = torch::tensor({.5}, torch::kDouble);
  dense.save = ode::SaveDense{};
  expect_error([&] { odeint(f, y0, {0, 1}, dense); }, "save: ode::");
  OdeintOptions remembers = options_with(ode::Interpolating{.method = ode::Tsit5{}});
  remembers.jumps.times = torch::tensor({.5}, torch::kDouble);
  remembers.method = ode::AdamsBashforthMoulton{};
  remembers.control = ode::ConstantStep{.1};
  expect_error([&] { odeint(f, y0, {0, 1}, remembers); }, "remembers nothing between steps");
}

}  // namespace
}  // namespace stillpoint::test
