// Values, statuses and misuse. The cases with many digits come from independent computations in 80 bits.
#include "stillpoint/ode/odeint.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <vector>

#include "ode/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

Tensor numbers(const std::vector<double>& list) { return torch::tensor(list, torch::kDouble); }
Tensor column(const std::vector<double>& list) { return numbers(list).unsqueeze(1); }

// y' = −k y + sin t, rows with their own k, start and span, one of them backwards.
struct Rows {
  Tensor k = column({.5, 2, 10, 1});
  Tensor y0 = column({1, -1, .3, 2});
  Tensor t = torch::tensor({{0.0, 2.0}, {1.0, 1.5}, {-1.0, 4.0}, {3.0, 0.0}}, torch::kDouble);
  Tensor y1 = column({1.358819434076583, -.06709961505532342, -.06845922111104624, 28.31157285805834});

  Tensor solve(const Tensor& order) const {
    const Tensor own = k.index_select(0, order);
    return odeint([own](const Tensor& at, const Tensor& y) { return -own * y + torch::sin(at); },
                  y0.index_select(0, order), t.index_select(0, order), tight_odeint())
        .value;
  }
};

TEST(Odeint, SolvesEachRowOnItsOwnSpan) {
  const Rows rows;
  const Tensor all = rows.solve(torch::arange(4));
  EXPECT_TRUE(close(all.select(1, 1), rows.y1, 1e-9));
}

TEST(Odeint, RowsAreTheSameInAnyOrderAndAlone) {
  const Rows rows;
  const Tensor all = rows.solve(torch::arange(4));
  const Tensor order = torch::tensor({2, 0, 3, 1});
  EXPECT_TRUE(identical(rows.solve(order), all.index_select(0, order)));
  for (std::int64_t b = 0; b < 4; ++b)
    EXPECT_TRUE(identical(rows.solve(torch::tensor({b})), all.narrow(0, b, 1))) << b;
}

TEST(Odeint, ReadsOutputsFromDenseOutputWithoutChangingSteps) {
  const auto f = [](const Tensor& t, const Tensor& y) { return 1.5 * y * torch::cos(2 * t); };
  const Tensor y0 = torch::full({1, 1}, 1.3, torch::kDouble);
  const auto few = odeint(f, y0, {.25, 2}, tight_odeint());
  const auto many = odeint(f, y0, {.25, .5, 1.1, 1.1, 1.9, 2}, tight_odeint());
  EXPECT_EQ(few.stats.accepted, many.stats.accepted);
  EXPECT_TRUE(identical(few.value.select(1, 1), many.value.select(1, 5)));
  EXPECT_TRUE(identical(many.value.select(1, 2), many.value.select(1, 3)));
  EXPECT_TRUE(close(few.value.select(1, 1), torch::full({1, 1}, .5143729150284711, torch::kDouble), 1e-9));
  const auto exact = [](double t) { return 1.3 * std::exp(.75 * (std::sin(2 * t) - std::sin(.5))); };
  EXPECT_NEAR(many.value[0][2][0].item<double>(), exact(1.1), 1e-8);
}

TEST(Odeint, SolvesBackwards) {
  const auto f = [](const Tensor& t, const Tensor& y) { return 1.5 * y * torch::cos(2 * t); };
  const auto [y, stats] = odeint(f, torch::full({1, 1}, 1.3, torch::kDouble), {2, .25}, tight_odeint());
  EXPECT_NEAR(y[0][1][0].item<double>(), 3.285554022428371, 1e-8);
}

// i y' = H y: unitary, with a known transition probability.
TEST(Odeint, SolvesComplexStates) {
  const auto h = torch::tensor({{.35, .95}, {.95, -.35}}, torch::kDouble);
  const auto minus_i = torch::complex(torch::zeros({}, torch::kDouble), -torch::ones({}, torch::kDouble));
  const Tensor field = minus_i * h;
  const Tensor y0 = torch::tensor({{1.0, 0.0}}, torch::kDouble).to(torch::kComplexDouble);
  const auto [y, stats] =
      odeint([field](const Tensor& s) { return torch::matmul(s, field.t()); }, y0, {0, 3}, tight_odeint());
  const Tensor end = y.select(1, 1);
  EXPECT_NEAR(at::real(end)[0][0].item<double>(), -.9945631701754051, 1e-9);
  EXPECT_NEAR(at::imag(end)[0][0].item<double>(), -.03600003136860954, 1e-9);
  EXPECT_NEAR(at::imag(end)[0][1].item<double>(), -.09771437085765447, 1e-9);
  EXPECT_NEAR(end.abs().square().sum().item<double>(), 1.0, 1e-9);
}

TEST(Odeint, SolvesAListOfTensors) {
  using State = std::vector<Tensor>;
  const State y0{torch::ones({2, 1}, torch::kDouble), torch::zeros({2, 1}, torch::kDouble)};
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    OdeintOptions options = tight_odeint();
    options.steps = steps;
    const auto [y, stats] = odeint([](const State& s) { return State{s[1], -s[0]}; }, y0, {0, 1, 2}, options);
    ASSERT_EQ(y.size(), 2U);
    EXPECT_NEAR(y[0][1][2][0].item<double>(), std::cos(2.0), 1e-9);
    EXPECT_NEAR(y[1][1][1][0].item<double>(), -std::sin(1.0), 1e-9);
  }
}

TEST(Odeint, KeepsToTheSpan) {
  double least = 1;
  double most = 0;
  const auto f = [&](const Tensor& t, const Tensor& y) {
    least = std::min(least, t.item<double>());
    most = std::max(most, t.item<double>());
    return -y;
  };
  odeint(f, torch::ones({2, 3}, torch::kDouble), {0, .3, 1});
  EXPECT_GE(least, 0.0);
  EXPECT_LE(most, 1.0);
}

TEST(Odeint, FixedStepsGiveTheKnownNumbers) {
  const auto run = [](ode::Method method, double step) {
    return odeint([](const Tensor& y) { return -1.3 * y * y; }, torch::full({1, 1}, .8, torch::kDouble),
                  {0, 1}, {.method = std::move(method), .control = ode::ConstantStep{step}})
        .value[0][1][0]
        .item<double>();
  };
  EXPECT_NEAR(run(ode::Rk4{}, .2), .3921608231101094, 1e-15);
  EXPECT_NEAR(run(ode::Heun{}, .2), .3945833947236811, 1e-15);
}

// A blow-up in one sample: it says so near t = 1, and the others come through.
TEST(Odeint, ReportsABlowUp) {
  const Tensor y0 = column({.2, 1, .3});
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    const auto [y, stats] = odeint([](const Tensor& s) { return s * s; }, y0, {0, .5, 2},
                                   {.steps = steps, .on_failure = OnFailure::Ignore});
    EXPECT_EQ(stats.status[0], ode::Status::Finished);
    EXPECT_NE(stats.status[1], ode::Status::Finished);
    EXPECT_EQ(stats.status[2], ode::Status::Finished);
    EXPECT_NEAR(stats.time[1], 1.0, 1e-6);
    EXPECT_NEAR(y[0][2][0].item<double>(), .2 / (1 - .4), 1e-5);
    EXPECT_NEAR(y[1][1][0].item<double>(), 2.0, 1e-4);
    EXPECT_TRUE(std::isnan(y[1][2][0].item<double>()));
  }
}

TEST(Odeint, ReportsNaN) {
  const auto f = [](const Tensor& t, const Tensor& y) {
    return torch::where((t > .5) & (y > 0), torch::full_like(y, NAN), torch::zeros_like(y) - y);
  };
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    const auto [y, stats] =
        odeint(f, column({1, -1}), {0, 1}, {.steps = steps, .on_failure = OnFailure::Ignore});
    EXPECT_EQ(stats.status[0], ode::Status::NotFinite);
    EXPECT_EQ(stats.status[1], ode::Status::Finished);
    EXPECT_LE(stats.time[0], .5 + 1e-6);
    EXPECT_NEAR(y[1][1][0].item<double>(), -std::exp(-1.0), 1e-5);
  }
}

TEST(Odeint, EndsAtTheStepLimitAndAtTheLeastStep) {
  const auto f = [](const Tensor& t, const Tensor& y) { return torch::sin(100 * t) + 0 * y; };
  const auto limited = odeint(f, column({0}), {0, 100}, {.max_steps = 7, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(limited.stats.status[0], ode::Status::StepLimit);
  EXPECT_EQ(limited.stats.accepted[0] + limited.stats.rejected[0], 7);
  const auto coarse = odeint(f, column({0}), {967.1378944377053, 1000},
                             {.control = ode::Pid{.min_step = .2}, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(coarse.stats.status[0], ode::Status::StepTooSmall);
  expect_error(
      [&] {
        odeint(f, column({0}), {0, 100}, {.max_steps = 7, .on_failure = OnFailure::Throw});
      },
      "step limit");
}

// y' = −k y over spans of their own: the shorter ones finish sooner and are left out, and nothing else
// changes.
TEST(Odeint, LeavesFinishedSamplesOut) {
  using State = std::vector<Tensor>;
  const Tensor k = column({1, 2, 3, 4}).requires_grad_(true);
  const Tensor y0 = column({1, -1, 2, .5}).requires_grad_(true);
  const Tensor t = torch::tensor({{0.0, .5}, {0.0, 10.0}, {0.0, .1}, {0.0, 1.0}}, torch::kDouble);
  const auto f = [](const Tensor& /*t*/, const Tensor& y, const State& inputs) { return -inputs[0] * y; };
  const auto some = odeint({f, {k}}, y0, t);
  const auto all = odeint([k](const Tensor& y) { return -k * y; }, y0, t);
  EXPECT_TRUE(identical(some.value, all.value));
  EXPECT_LT(some.stats.sample_evaluations, 2 * all.stats.sample_evaluations / 3);
  EXPECT_EQ(all.stats.sample_evaluations, 4 * all.stats.evaluations);
  const auto gradients = [&](const Tensor& y) {
    return torch::autograd::grad({y.square().sum()}, {k, y0}, {}, true, true);
  };
  const auto g = gradients(some.value);
  const auto h = gradients(all.value);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(close(g[i], h[i], 1e-15));
  EXPECT_TRUE(
      close(torch::autograd::grad({g[0].sum()}, {k})[0], torch::autograd::grad({h[0].sum()}, {k})[0], 1e-14));

  const auto list = odeint({[](const Tensor& /*t*/, const State& y, const State& inputs) {
                              return State{-inputs[0] * y[0], y[0]};
                            },
                            {k}},
                           State{y0, torch::zeros({4, 1}, torch::kDouble)}, t);
  EXPECT_TRUE(close(list.value[0], all.value, 1e-5));
  expect_error(
      [&] {
        odeint({[](const Tensor& /*t*/, const Tensor& y, const State& inputs) {
                  return -inputs[0] * y + 1e-3 * y.sum(0, true);
                },
                {k}},
               y0, t);
      },
      "f: expected samples that do not depend on each other");
  expect_error([&] { odeint({f, {k.narrow(0, 0, 2)}}, y0, t); }, "inputs[0]: expected [B, …]");
}

TEST(Odeint, GivesBackTheStartForOneTime) {
  const Tensor y0 = column({1, 2});
  const auto [y, stats] = odeint([](const Tensor& s) { return -s; }, y0, {1.0});
  EXPECT_TRUE(identical(y, y0.unsqueeze(1)));
  EXPECT_NE(stats.brief().find("only one time"), std::string::npos);
}

TEST(Odeint, SolvesInFloatAndForNoSamples) {
  const auto f = [](const Tensor& t, const Tensor& y) { return y * torch::cos(t); };
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    const auto [y, stats] = odeint(f, torch::ones({3, 2}), {0, 2}, {.steps = steps});
    EXPECT_EQ(y.scalar_type(), torch::kFloat);
    EXPECT_NEAR(y[2][1][1].item<double>(), std::exp(std::sin(2.0)), 2e-3);
    const auto none = odeint(f, torch::ones({0, 2}), {0, 1, 2}, {.steps = steps});
    EXPECT_EQ(none.value.sizes(), at::IntArrayRef({0, 3, 2}));
    EXPECT_TRUE(none.stats.finished());
  }
}

// Float cannot reach this tolerance, so it must say so instead of going on for ever.
TEST(Odeint, ReportsAToleranceBelowRounding) {
  const auto [y, stats] =
      odeint([](const Tensor& s) { return -s; }, torch::ones({1, 8}), {0, 1},
             {.tolerance = {.relative = 1e-14, .absolute = 0}, .on_failure = OnFailure::Ignore});
  EXPECT_NE(stats.status[0], ode::Status::Finished);
}

TEST(Odeint, RejectsMisuse) {
  const auto f = [](const Tensor& y) { return -y; };
  const Tensor y0 = column({1, 2});
  expect_error([&] { odeint(f, torch::ones({}), {0, 1}); }, "y0: expected a tensor [B, …]");
  expect_error([&] { odeint(f, torch::ones({2}, torch::kLong), {0, 1}); }, "y0: expected a floating-point");
  expect_error([&] { odeint(f, y0, {0, 1, .5}); }, "t: expected times that rise or fall");
  expect_error([&] { odeint(f, y0, {0, NAN}); }, "t: expected finite times");
  expect_error(
      [&] {
        odeint(f, y0, torch::zeros({3, 2}));
      },
      "t: expected one row of times for each of the 2");
  expect_error([&] { odeint(f, y0, {0, 1}, {.method = ode::Rk4{}}); }, "control: expected ConstantStep");
  expect_error([&] { odeint(f, y0, {0, 1}, {.control = ode::ConstantStep{0}}); }, "control.step");
  expect_error([&] { odeint(f, y0, {0, 1}, {.tolerance = {.relative = -1}}); }, "tolerance.relative");
  expect_error([&] { odeint([](const Tensor& y) { return y.sum(0); }, y0, {0, 1}); }, "f: expected shape");
  expect_error(
      [&] {
        odeint([](const Tensor& y) { return Tensor(y).neg_(); }, y0.clone(), {0, 1});
      },
      "f: expected it to leave y as it is");
}

}  // namespace
}  // namespace stillpoint::test
