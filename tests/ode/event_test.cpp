// Events and jumps: values, first and second derivatives against closed forms and independent computations.
#include "stillpoint/ode/event.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

class EventGradients : public testing::TestWithParam<ode::GradientRule> {};

INSTANTIATE_TEST_SUITE_P(All, EventGradients,
                         testing::Values(ode::GradientRule(ode::Discrete{}),
                                         ode::GradientRule(ode::Unrolled{}),
                                         ode::GradientRule(tight_adjoint<ode::Interpolating>()),
                                         ode::GradientRule(tight_adjoint<ode::Backsolve>())),
                         [](const auto& tested) { return tested.param.name(); });

// Two events inside one step: the earlier one, wherever it is in the list.
TEST(Events, TakeTheEarlierOfTwoInOneStep) {
  for (const bool swapped : {false, true}) {
    ode::Event late{.when = [](const Tensor& t, const Tensor& y) { return t - 1 + 0 * y; }};
    ode::Event early{.when = [](const Tensor& t, const Tensor& y) { return t - .5 + 0 * y; }};
    const auto solution = odeint([](const Tensor& y) { return torch::ones_like(y); },
                                 torch::zeros({1, 1}, torch::kDouble), {0, 2},
                                 {.method = ode::Euler{},
                                  .control = ode::ConstantStep{2},
                                  .events = swapped ? std::vector{early, late} : std::vector{late, early}});
    EXPECT_EQ(solution.stats.status[0], ode::Status::Event);
    EXPECT_TRUE(solution.stats.finished());
    EXPECT_NEAR(solution.stats.time[0], .5, 1e-15);
    EXPECT_NEAR(solution.events.y[0][0][0].item<double>(), .5, 1e-15);
    EXPECT_EQ(solution.events.which[0], std::vector<std::int64_t>{swapped ? 0 : 1});
    EXPECT_TRUE(std::isnan(solution.value[0][1][0].item<double>()));
  }
}

// Three crossings, two of them inside one step; their times in y0.
TEST_P(EventGradients, FindAllCrossings) {
  const Tensor y0 = parameter(-120);
  const auto f = [](const Tensor& t, const Tensor& y) { return 3 * t * t + 12 * t - 4 + 0 * y; };
  const auto solve = [&](std::int64_t terminal) {
    return odeint(f, y0.unsqueeze(1), {-8, 4},
                  {.gradient = GetParam(),
                   .events = {{.when = [](const Tensor& y) { return y; }, .terminal = terminal}}});
  };
  const auto all = solve(0);
  ASSERT_EQ(all.events.time.size(1), 3);
  const double times[] = {-6, -2, 2};
  const double slopes[] = {-.03125, .0625, -.03125};
  for (int k = 0; k < 3; ++k) {
    EXPECT_NEAR(all.events.time[0][k].item<double>(), times[k], 1e-12);
    const Tensor g = torch::autograd::grad({all.events.time[0][k]}, {y0}, {}, true)[0];
    EXPECT_NEAR(g.item<double>(), slopes[k], 1e-12);
  }
  EXPECT_EQ(all.stats.status[0], ode::Status::Finished);
  EXPECT_NEAR(solve(1).events.time.item<double>(), -6, 1e-12);
  EXPECT_NEAR(solve(2).stats.time[0], -2, 1e-12);
}

// A ball that is thrown up from the ground comes down before the first output. The event is zero at the
// start.
TEST_P(EventGradients, FallBackToWhereTheyStarted) {
  const std::vector<Tensor> p{parameter(0), parameter(10), parameter(.5)};
  const auto f = [g = p[2]](const Tensor& y) { return row({y.select(1, 1), -g.expand({y.size(0)})}); };
  for (const ode::Crossing crossing : {ode::Crossing::Falling, ode::Crossing::Any}) {
    const auto solution =
        odeint(f, row({p[0], p[1]}), {0, 33, 66, 99},
               {.gradient = GetParam(),
                .events = {{.when = [](const Tensor& y) { return y.select(1, 0); }, .crossing = crossing}}});
    EXPECT_NEAR(solution.events.time.item<double>(), 40, 1e-12);
    EXPECT_FALSE(solution.value.select(1, 1).isnan().any().item<bool>());
    EXPECT_TRUE(solution.value.narrow(1, 2, 2).isnan().all().item<bool>());
    const Derivatives d(solution.events.time, p);
    const double first[] = {.1, 4, -80};
    const double second[3][3] = {{-.0005, -.01, 0}, {-.01, 0, -8}, {0, -8, 320}};
    for (int i = 0; i < 3; ++i) {
      EXPECT_NEAR(d.first[i], first[i], 1e-10);
      for (int j = 0; j < 3; ++j) EXPECT_NEAR(d.second[i][j], second[i][j], 1e-9) << i << j;
    }
  }
}

// A fall through air, down to the ground.
TEST_P(EventGradients, ReachTheGroundThroughAir) {
  const std::vector<Tensor> p{parameter(1000), parameter(10), parameter(.01)};
  const auto f = [g = p[1], k = p[2]](const Tensor& y) {
    return row({y.select(1, 1), -g + k * y.select(1, 1).square()});
  };
  OdeintOptions options = tight_odeint();
  options.gradient = GetParam();
  options.events = {{.when = [](const Tensor& y) { return y.select(1, 0); }}};
  const auto solution = odeint(f, row({p[0], torch::zeros({1}, torch::kDouble)}), {0, 100}, options);
  EXPECT_NEAR(solution.events.time.item<double>(), 33.81470044434772, 1e-8);
  const Derivatives time(solution.events.time, p);
  if (GetParam().name() == "Backsolve") {
    // It contracts: taken back, y runs away, and the report says so.
    EXPECT_GT(solution.stats.backward->reconstruction.at(0), ode::Backsolve{}.most_missed);
    return;
  }
  const Tensor speed = solution.events.y.select(2, 1);
  EXPECT_NEAR(speed.item<double>(), -31.62277656909409, 1e-7);
  const Derivatives velocity(speed, p);
  const double first[] = {.03162277663427349, -1.690735022217386, 1471.542641209963};
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(time.first[i] / first[i], 1, 1e-6) << i;
  EXPECT_NEAR(time.second[1][1] / .2536102533326079, 1, 1e-5);
  EXPECT_NEAR(time.second[1][2] / -73.57713206049816, 1, 1e-5);
  EXPECT_NEAR(time.second[2][2] / -62617.5195280671, 1, 1e-5);
  EXPECT_NEAR(time.second[0][1] / -.001581138831713675, 1, 1e-5);
  EXPECT_NEAR(velocity.first[1] / -1.581138828454705, 1, 1e-6);
  EXPECT_NEAR(velocity.first[2] / 1581.138763275304, 1, 1e-6);
}

// An event switches a parameter: x' = −a, y' = b until x = 0, then y' = 0.
TEST_P(EventGradients, SwitchAParameter) {
  const std::vector<Tensor> p{parameter(2), parameter(1), parameter(1)};
  const auto f = [a = p[0], b = p[1]](const Tensor& y) {
    const Tensor on = y.select(1, 2);
    return row({-a * on, b * on, torch::zeros_like(on)});
  };
  const auto off = [](const Tensor& y) {
    return row({y.select(1, 0), y.select(1, 1), torch::zeros_like(y.select(1, 2))});
  };
  const Tensor start = row({p[2], torch::zeros({1}, torch::kDouble), torch::ones({1}, torch::kDouble)});
  const auto solution = odeint(
      f, start, {0, 1},
      {.gradient = GetParam(),
       .events = {{.when = [](const Tensor& y) { return y.select(1, 0); }, .terminal = 0, .then = off}}});
  const Tensor end = solution.value.select(1, 1).select(1, 1);
  EXPECT_NEAR(end.item<double>(), .5, 1e-12);
  const Derivatives d(end, p);
  const double first[] = {-.25, .5, .5};
  const double second[3][3] = {{.25, -.25, -.25}, {-.25, 0, .5}, {-.25, .5, 0}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(d.first[i], first[i], 1e-12);
    for (int j = 0; j < 3; ++j) EXPECT_NEAR(d.second[i][j], second[i][j], 1e-11) << i << j;
  }
}

// A ball a sample, each with its own height: rows in a batch are the rows alone, to the bit, and a batch has
// room for the sample with the most events.
TEST(Events, DoNotSeeTheOtherSamples) {
  const auto drop = [](const std::vector<double>& heights) {
    const Tensor h = torch::tensor(heights, torch::kDouble);
    return odeint(
        [](const Tensor& y) {
          return row({y.select(1, 1), torch::full_like(y.select(1, 0), -9.8)});
        },
        row({h, torch::zeros_like(h)}), {0, 1, 2, 3},
        {.events = {{.when = [](const Tensor& y) { return y.select(1, 0); },
                     .crossing = ode::Crossing::Falling,
                     .terminal = 4,
                     .then =
                         [](const Tensor& y) {
                           return row({y.select(1, 0), -.5 * y.select(1, 1)});
                         }}}});
  };
  const auto all = drop({20, 1, 100, 5});
  EXPECT_EQ(all.events.time.sizes(), at::IntArrayRef({4, 4}));
  EXPECT_EQ(all.events.which[2].size(), 0U);
  EXPECT_TRUE(all.events.time[2].isnan().all().item<bool>());
  EXPECT_EQ(all.stats.status[1], ode::Status::Event);
  EXPECT_EQ(all.stats.status[2], ode::Status::Finished);
  const auto other = drop({5, 100, 1, 20});
  EXPECT_TRUE(identical(other.value.flip(0).nan_to_num(), all.value.nan_to_num()));
  EXPECT_TRUE(identical(other.events.time.flip(0).nan_to_num(), all.events.time.nan_to_num()));
  const auto alone = drop({1});
  EXPECT_TRUE(identical(alone.events.time[0], all.events.time[1]));
  EXPECT_TRUE(identical(alone.events.y[0], all.events.y[1]));
}

// Both of two events at one time happen, in the order of the list, before and without a change of the state.
TEST(Events, AtOneTimeHappenInTheirOrder) {
  for (const bool changes : {false, true}) {
    const auto reached = [](const Tensor& y) { return y.select(1, 0) - 1; };
    const auto count = [](double by) {
      return [by](const Tensor& y) { return row({y.select(1, 0), y.select(1, 1) * 2 + by}); };
    };
    ode::Event first{.when = reached, .terminal = 0};
    ode::Event second{.when = reached, .terminal = 0};
    if (changes) {
      first.then = count(1);
      second.then = count(5);
    }
    const auto solution = odeint(
        [](const Tensor& y) {
          return row({torch::ones_like(y.select(1, 0)), torch::zeros_like(y.select(1, 0))});
        },
        torch::zeros({1, 2}, torch::kDouble), {0, 3}, {.events = {first, second}});
    EXPECT_EQ(solution.events.which[0], (std::vector<std::int64_t>{0, 1}));
    EXPECT_NEAR(solution.events.time[0][0].item<double>(), 1, 1e-14);
    EXPECT_NEAR(solution.events.time[0][1].item<double>(), 1, 1e-14);
    EXPECT_NEAR(solution.value[0][1][1].item<double>(), changes ? 7 : 0, 1e-14);
  }
}

TEST(Events, AreFoundBackwardsAndAtTheVeryEnd) {
  const auto f = [](const Tensor& y) { return torch::ones_like(y); };
  const Tensor y0 = torch::full({1, 1}, 3, torch::kDouble);
  const auto at_one = [](const Tensor& y) { return y - 1; };
  const auto back = odeint(f, y0, {3, 0}, {.events = {{.when = at_one, .crossing = ode::Crossing::Falling}}});
  EXPECT_NEAR(back.events.time.item<double>(), 1, 1e-13);
  const auto end = odeint(
      f, y0, {3, 1}, {.method = ode::Euler{}, .control = ode::ConstantStep{1}, .events = {{.when = at_one}}});
  EXPECT_EQ(end.events.time.item<double>(), 1);
  const auto other = odeint(f, y0, {3, 0}, {.events = {{.when = at_one, .crossing = ode::Crossing::Rising}}});
  EXPECT_EQ(other.events.time.size(1), 0);
  EXPECT_EQ(other.stats.status[0], ode::Status::Finished);
}

TEST(Events, WorkWithListsAndInFloat) {
  using State = std::vector<Tensor>;
  const Tensor height = torch::tensor({4.9F, 19.6F}).requires_grad_(true);
  const auto solution = odeint(
      [](const State& y) {
        return State{y[1], torch::full_like(y[1], -9.8)};
      },
      State{height, torch::zeros({2})}, {0, 10},
      {.events = {{.when = [](const Tensor& /*t*/, const State& y) { return y[0]; },
                   .terminal = 2,
                   .then =
                       [](const State& y) {
                         return State{y[0], -.5 * y[1]};
                       }}}});
  EXPECT_EQ(solution.events.time.scalar_type(), torch::kDouble);
  EXPECT_EQ(solution.events.y[1].sizes(), at::IntArrayRef({2, 2}));
  EXPECT_NEAR(solution.events.time[0][0].item<double>(), 1, 1e-3);
  EXPECT_NEAR(solution.events.time[1][1].item<double>(), 4, 4e-3);
  const Tensor g = torch::autograd::grad({solution.events.time.select(1, 0).sum()}, {height})[0];
  EXPECT_NEAR(g[0].item<double>(), 1 / 9.8, 1e-3);
}

// A number that is not defined at first crosses once it is.
TEST(Events, WaitForANumberThatIsNotDefinedYet) {
  const auto f = [](const Tensor& y) { return torch::ones_like(y); };
  const auto solution = odeint(f, torch::full({1, 1}, -1, torch::kDouble), {0, 4},
                               {.control = ode::Pid{.max_step = 1},
                                .events = {{.when = [](const Tensor& y) { return torch::log(y) - .5; }}}});
  ASSERT_EQ(solution.events.time.size(1), 1);
  EXPECT_NEAR(solution.events.time.item<double>(), 1 + std::exp(.5), 1e-12);
}

// A number that is flat where it crosses does not say how its time moves.
TEST(Events, WithoutASlopeHaveNoDerivative) {
  const Tensor start = parameter(0);
  const auto solution =
      odeint([](const Tensor& y) { return torch::ones_like(y); }, start.unsqueeze(1), {0, 2},
             {.events = {{.when = [](const Tensor& y) { return torch::sign(y - 1); }}}});
  EXPECT_NEAR(solution.events.time.item<double>(), 1, 1e-13);
  const Tensor g = torch::autograd::grad({solution.events.time.sum()}, {start})[0];
  EXPECT_FALSE(std::isfinite(g.item<double>()));
}

TEST(Events, RejectMisuse) {
  using State = std::vector<Tensor>;
  const auto f = [](const Tensor& y) { return -y; };
  const Tensor y0 = torch::ones({2, 3}, torch::kDouble);
  const auto solve = [&](ode::Event event) { odeint(f, y0, {0, 1}, {.events = {std::move(event)}}); };
  expect_error([&] { solve({}); }, "events[0].when: expected a function");
  expect_error([&] { solve({.when = [](const Tensor& y) { return y; }}); },
               "events[0].when: expected one floating-point number a sample");
  expect_error([&] { solve({.when = [](const Tensor& y) { return y.sum(1); }, .terminal = -1}); },
               "events[0].terminal");
  expect_error(
      [&] {
        solve({.when = [](const Tensor& y) { return y.sum(1) - 2; },
               .then = [](const Tensor& y) { return y.sum(1); }});
      },
      "events[0].then: expected shape");
  expect_error(
      [&] {
        odeint([](const State& y) { return y; }, State{y0, y0}, {0, 1},
               {.events = {{.when = [](const Tensor& y) { return y.sum(1); }}}});
      },
      "events[0].when: expected a function of the list");
  expect_error([&] { odeint(f, y0, {0, 1}, {.jumps = {.times = torch::full({1}, NAN)}}); }, "jumps.times");
  expect_error(
      [&] {
        odeint(f, y0, {0, 1}, {.jumps = {.times = torch::zeros({3, 1})}});
      },
      "jumps.times: expected one row");
}

// Jumps and events together: y' = 1, each sample is set back to zero when it reaches a level of its own, and
// all get a dose at t = 2. The time of the last event follows from what was before.
TEST_P(EventGradients, GoWithJumps) {
  const Tensor level = torch::tensor({1.5, 3.0}, torch::kDouble).requires_grad_(true);
  const Tensor dose = parameter(.25);
  const auto solution = odeint(
      [](const Tensor& y) { return torch::ones_like(y); }, torch::zeros({2, 1}, torch::kDouble), {0, 3.25},
      {.gradient = GetParam(),
       .events = {{.when = [level](const Tensor& y) { return y.select(1, 0) - level; },
                   .terminal = 0,
                   .then = [](const Tensor& y) { return torch::zeros_like(y); }}},
       .jumps = {.times = torch::tensor({2.0}, torch::kDouble),
                 .then = [dose](const Tensor& y) { return y + dose; }}});
  // The first is set back at 1.5, has .75 after the dose and is set back again at 2.75; the second one
  // reaches its level at 2.75.
  const Tensor times = solution.events.time;
  EXPECT_NEAR(times[0][0].item<double>(), 1.5, 1e-13);
  EXPECT_NEAR(times[0][1].item<double>(), 2.75, 1e-13);
  EXPECT_NEAR(times[1][0].item<double>(), 2.75, 1e-13);
  EXPECT_TRUE(std::isnan(times[1][1].item<double>()));
  const auto of_time = torch::autograd::grad({times[0][1]}, {level, dose}, {}, true);
  EXPECT_NEAR(of_time[0][0].item<double>(), 2, 1e-12);
  EXPECT_NEAR(of_time[1].item<double>(), -1, 1e-12);
  const Tensor end = solution.value.select(1, 1);
  EXPECT_NEAR(end[0][0].item<double>(), .5, 1e-12);
  const auto of_end = torch::autograd::grad({end.sum()}, {level, dose});
  EXPECT_NEAR(of_end[0][0].item<double>(), -2, 1e-12);
  EXPECT_NEAR(of_end[0][1].item<double>(), -1, 1e-12);
  EXPECT_NEAR(of_end[1].item<double>(), 2, 1e-12);
}

// A ball that bounces ten times. The radius is only captured by the event, the rebound by what follows it.
TEST_P(EventGradients, Bounce) {
  const std::vector<Tensor> p{parameter(12), parameter(-1),  parameter(9.8),
                              parameter(.3), parameter(.25), parameter(.5)};
  const auto f = [g = p[2]](const Tensor& y) { return row({y.select(1, 1), -g.expand({y.size(0)})}); };
  const auto bounce = [c = p[4]](const Tensor& y) {
    return row({y.select(1, 0), -(1 - c) * y.select(1, 1)});
  };
  const auto solution =
      odeint(f, row({p[0], p[1]}), torch::cat({p[5], torch::full({1}, 20, torch::kDouble)}),
             {.gradient = GetParam(),
              .events = {{.when = [r = p[3]](const Tensor& y) { return y.select(1, 0) - r; },
                          .terminal = 10,
                          .then = bounce}}});
  ASSERT_EQ(solution.events.time.size(1), 10);
  const Tensor time = solution.events.time[0];
  EXPECT_NEAR(time[0].item<double>(), 1.946560949860439, 1e-11);
  EXPECT_NEAR(time[2].item<double>(), 6.011640586101234, 1e-11);
  EXPECT_NEAR(time[9].item<double>(), 10.54051388026797, 1e-10);
  const double first[3][6] = {
      {.06589222520246744, .09531711987729924, -.06894101173383365, -.06589222520246744, 0, 1},
      {.2388593163589445, .07766741669806689, -.277243529051182, -.2388593163589445, -7.743008830934847, 1},
      {.4315605940718398, .05800402101307757, -.5093117275130049, -.4315605940718398, -37.4625236282688, 1}};
  const int bounces[] = {0, 2, 9};
  for (int k = 0; k < 3; ++k) {
    const auto g = torch::autograd::grad({time[bounces[k]]}, p, {}, true, false, true);
    for (int i = 0; i < 6; ++i) {
      EXPECT_NEAR(g[i].defined() ? g[i].item<double>() : 0, first[k][i], 1e-8) << k << i;
    }
  }
  const Derivatives third(time[2], p);
  EXPECT_NEAR(third.second[0][0], -.01016334361027117, 1e-9);
  EXPECT_NEAR(third.second[1][1], .02426757555921891, 1e-9);
  EXPECT_NEAR(third.second[2][2], .04209405521234013, 1e-9);
  EXPECT_NEAR(third.second[4][4], 6.194407064747878, 1e-8);
  EXPECT_NEAR(third.second[0][2], -.01213378777960946, 1e-9);
  EXPECT_NEAR(third.second[1][4], .03361848224615686, 1e-9);
  EXPECT_NEAR(third.second[2][4], .396766699652092, 1e-8);
  EXPECT_NEAR(third.second[0][4], -.3294611260123372, 1e-8);
}

}  // namespace
}  // namespace stillpoint::test
