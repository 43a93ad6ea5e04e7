// Continuous adjoints: against independent computations, against each other, and where they must say no.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

OdeintOptions tight_with(const ode::GradientRule& rule) {
  OdeintOptions options = tight_odeint();
  options.gradient = rule;
  return options;
}

std::vector<Tensor> gradients_of(const Tensor& number, const std::vector<Tensor>& in) {
  auto all = torch::autograd::grad({number}, in, {}, true, false, true);
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!all[i].defined()) all[i] = torch::zeros_like(in[i]);
  }
  return all;
}

class ContinuousAdjoints : public testing::TestWithParam<ode::GradientRule> {};

// y' = a y cos(w t), in (y0, a, w, t0, t1), forwards and backwards.
TEST_P(ContinuousAdjoints, GiveTheWholeHessian) {
  const std::vector<double> gradient{.395671473098824, -.3179411087216493, -.3505074117896539,
                                     -.6771070508065571, -.5043248619800713};
  const double hessian[5][5] = {
      {0, -.2445700836320379, -.2696210859920415, -.5208515775435054, -.3879422015231318},
      {0, .1965238558674038, -.01701806358559246, -.03287534145438891, -.02448630836406562},
      {0, 0, 1.768748159285747, .5538751055364945, 1.511496517509663},
      {0, 0, 0, 1.631136545974096, .6638800566022194},
      {0, 0, 0, 0, 1.662309210151372}};
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    const std::vector<Tensor> p{parameter(1.3), parameter(1.5), parameter(2), parameter(.25), parameter(2)};
    OdeintOptions options = tight_with(GetParam());
    options.steps = steps;
    const auto f = [a = p[1], w = p[2]](const Tensor& t, const Tensor& y) {
      return a * y * torch::cos(w * t);
    };
    const auto solution = odeint(f, p[0].unsqueeze(1), torch::cat({p[3], p[4]}), options);
    ASSERT_TRUE(solution.stats.backward);
    const auto first = gradients_of(solution.value.select(1, 1).sum(), p);
    for (int i = 0; i < 5; ++i) EXPECT_NEAR(first[i].item<double>(), gradient[i], 1e-8) << i;
    EXPECT_GT(solution.stats.backward->accepted[0], 0);
    if (steps == ode::Steps::PerSample) continue;
    options.tolerance = {.relative = 1e-8, .absolute = 1e-10};
    const auto loose = odeint(f, p[0].unsqueeze(1), torch::cat({p[3], p[4]}), options);
    const auto g = torch::autograd::grad({loose.value.select(1, 1).sum()}, p, {}, true, true);
    const auto rows = gradients_of((g[0] + 2 * g[1] + 3 * g[2] + 4 * g[3] + 5 * g[4]).sum(), p);
    for (int i = 0; i < 5; ++i) {
      double row = 0;
      for (int k = 0; k < 5; ++k) row += (k + 1) * hessian[std::min(i, k)][std::max(i, k)];
      EXPECT_NEAR(g[i].item<double>(), gradient[i], 1e-6) << i;
      EXPECT_NEAR(rows[i].item<double>(), row, 1e-5) << i;
    }
  }
}

TEST_P(ContinuousAdjoints, OfOutputsBetweenSteps) {
  const Tensor p = torch::tensor({2.5, 4.5}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [p](const Tensor& y) {
    return torch::stack({2 - p[0] * y.select(1, 0), y.select(1, 0) - p[1] * y.select(1, 1)}, 1);
  };
  const auto y =
      odeint(f, torch::ones({1, 2}, torch::kDouble), {0, .5, .75, 3}, tight_with(GetParam())).value;
  const auto right = odeint(f, torch::ones({1, 2}, torch::kDouble), {0, .5, .75, 3}, tight_odeint()).value;
  const Tensor found = gradients_of((y - 1).square().sum(), {p})[0];
  EXPECT_TRUE(close(found, gradients_of((right - 1).square().sum(), {p})[0], 1e-8));
}

// Each row with its own span, one backwards, in one batch and alone: d(k, y0, t0, t1).
TEST_P(ContinuousAdjoints, OfSpansPerSample) {
  const auto column = [](std::vector<double> list) {
    return torch::tensor(list, torch::kDouble).unsqueeze(1);
  };
  const Tensor k = column({.5, 2, 1}).requires_grad_(true);
  const Tensor y0 = column({1, -1, 2}).requires_grad_(true);
  const Tensor t = torch::tensor({{0.0, 2.0}, {1.0, 1.5}, {3.0, 0.0}}, torch::kDouble).requires_grad_(true);
  const auto y = odeint({[](const Tensor& at, const Tensor& s, const std::vector<Tensor>& inputs) {
                           return -inputs[0] * s + torch::sin(at);
                         },
                         {k}},
                        y0, t, tight_with(GetParam()));
  const auto g = gradients_of(y.value.select(1, 1).sum(), {k, y0, t});
  const auto expected =
      torch::tensor({{-1.389680041080759, .3678794411714423, .1839397205857212, .2298877097873903},
                     {.1229382459789956, .3678794411714423, -1.045318757995997, 1.131694216714701},
                     {96.87698399624851, 20.08553692318767, 37.33660271388833, -28.31157285805834}},
                    torch::kDouble);
  EXPECT_TRUE(close(torch::cat({g[0], g[1], g[2]}, 1), expected, 1e-7));
}

// i y' = H y, and the probability of the second state.
TEST_P(ContinuousAdjoints, OfComplexStates) {
  const std::vector<Tensor> p{parameter(.7), parameter(1.9), parameter(3)};
  const auto f = [&](const Tensor& y) {
    const Tensor h = torch::stack({p[0] / 2, p[1] / 2, p[1] / 2, -p[0] / 2}).view({2, 2});
    return torch::matmul(y, torch::complex(torch::zeros_like(h), -h));
  };
  const Tensor y0 = torch::tensor({{1.0, 0.0}}, torch::kDouble).to(torch::kComplexDouble);
  const Tensor times = torch::cat({torch::zeros({1}, torch::kDouble), p[2]});
  const auto y = odeint(f, y0, times, tight_with(GetParam())).value.select(1, 1);
  const auto g = gradients_of(y.select(1, 1).abs().square().sum(), p);
  EXPECT_NEAR(g[0].item<double>(), -.09783608883999207, 1e-8);
  EXPECT_NEAR(g[1].item<double>(), -.2555044685198656, 1e-8);
  EXPECT_NEAR(g[2].item<double>(), -.1846479174585797, 1e-8);
}

// Repeated times, several columns at both ends, a list, a network in float: what Discrete says.
TEST_P(ContinuousAdjoints, AgreeWithTheDiscreteGradient) {
  torch::manual_seed(3);
  torch::nn::Linear inner(3, 8);
  torch::nn::Linear outer(8, 3);
  inner->to(torch::kDouble);
  outer->to(torch::kDouble);
  const auto gradients = [&](const ode::GradientRule& rule, ode::Steps steps, c10::ScalarType dtype) {
    inner->to(dtype);
    outer->to(dtype);
    const auto real = torch::dtype(dtype);
    const Tensor a = (.1 * torch::arange(8, real).view({4, 2})).requires_grad_(true);
    const Tensor b = torch::linspace(-1, 1, 4, real).unsqueeze(1).requires_grad_(true);
    const Tensor t =
        torch::tensor({0.0, 0.0, .4, .4, .9, .9}, torch::dtype(torch::kDouble).requires_grad(true));
    const auto f = [&](const Tensor& at, const std::vector<Tensor>& y) {
      const Tensor slope = outer(torch::tanh(inner(torch::cat({y[0], y[1]}, 1)) + at));
      return std::vector<Tensor>{slope.narrow(1, 0, 2), slope.narrow(1, 2, 1)};
    };
    OdeintOptions options{.gradient = rule, .steps = steps};
    if (dtype == torch::kDouble) options.tolerance = {.relative = 1e-9, .absolute = 1e-11};
    const auto y = odeint(f, {a, b}, t, options).value;
    const Tensor loss = (y[0].sin() * torch::arange(6, real).view({1, 6, 1})).sum() + y[1].square().sum();
    std::vector<Tensor> in{a, b, t};
    for (const auto& w : inner->parameters()) in.push_back(w);
    for (const auto& w : outer->parameters()) in.push_back(w);
    return gradients_of(loss, in);
  };
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    for (const auto dtype : {torch::kDouble, torch::kFloat}) {
      const auto found = gradients(GetParam(), steps, dtype);
      const auto right = gradients(ode::Discrete{}, steps, dtype);
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_TRUE(close(found[i], right[i], dtype == torch::kDouble ? 2e-7 : 5e-3)) << i;
      }
    }
  }
}

// y' = a y cos(w t): all second derivatives of outputs whose times are equal, but tensors of their own, as
// those of the closed form.
TEST_P(ContinuousAdjoints, TellEqualTimesApartAtSecondOrder) {
  for (const auto& at :
       std::vector<std::vector<double>>{{.25, .25, 1}, {.25, 1, 1}, {.25, .25, .25, 1, 1}, {.5, .5}}) {
    for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
      std::vector<Tensor> p{parameter(1.3), parameter(1.5), parameter(2)};
      const Tensor y0 = p[0], a = p[1], w = p[2];
      std::vector<Tensor> t;
      for (const double time : at) t.push_back(parameter(time));
      OdeintOptions options = tight_with(GetParam());
      options.tolerance = {.relative = 1e-7, .absolute = 1e-9};
      options.steps = steps;
      const auto f = [&](const Tensor& s, const Tensor& y) { return a * y * torch::cos(w * s); };
      const Tensor found = odeint(f, y0.unsqueeze(1), torch::cat(t), options).value.flatten();
      std::vector<Tensor> right;
      for (const Tensor& time : t)
        right.push_back(y0 * torch::exp(a / w * (torch::sin(w * time) - torch::sin(w * t[0]))));
      p.insert(p.end(), t.begin(), t.end());
      const auto weights = 1 + torch::arange(found.size(0), torch::kDouble);
      const Derivatives ours(weights * found.square(), p), theirs(weights * torch::cat(right).square(), p);
      for (std::size_t i = 0; i < p.size(); ++i) {
        EXPECT_NEAR(ours.first[i], theirs.first[i], 1e-5) << i;
        for (std::size_t j = 0; j < p.size(); ++j)
          EXPECT_NEAR(ours.second[i][j], theirs.second[i][j], 1e-4) << i << " " << j << " of " << at.size();
      }
    }
  }
}

// Samples that take different numbers of steps, all second derivatives in their times.
TEST_P(ContinuousAdjoints, OfTimesOfUnevenSamplesAtSecondOrder) {
  const Tensor a = torch::tensor({{.1}, {1.5}, {4.0}}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor w = torch::tensor({{.5}, {20.0}, {2.0}}, torch::kDouble);
  OdeintOptions options = tight_with(GetParam());
  options.tolerance = {.relative = 1e-7, .absolute = 1e-9};
  options.steps = ode::Steps::PerSample;
  const auto f = [&](const Tensor& s, const Tensor& y) { return a * y * torch::cos(w * s); };
  const Tensor y0 = torch::tensor({{1.0}, {-1.0}, {.5}}, torch::kDouble);
  const std::vector<Tensor> p{parameter(.25), parameter(.6), parameter(1.5)};
  const Tensor times = torch::cat(p);
  for (const Tensor& t :
       {times, times.expand({3, 3}) + torch::tensor({{0.0}, {.1}, {-.1}}, torch::kDouble)}) {
    const Tensor at = t.dim() == 1 ? t.expand({3, 3}) : t;
    const Tensor found = odeint(f, y0, t, options).value.select(2, 0);
    const Tensor right = y0 * torch::exp(a / w * (torch::sin(w * at) - torch::sin(w * at.narrow(1, 0, 1))));
    const Tensor weights = 1 + torch::arange(9, torch::kDouble).view({3, 3});
    const Derivatives ours(weights * found.square(), p), theirs(weights * right.square(), p);
    for (std::size_t i = 0; i < p.size(); ++i) {
      EXPECT_NEAR(ours.first[i], theirs.first[i], 1e-5) << i;
      for (std::size_t j = 0; j < p.size(); ++j)
        EXPECT_NEAR(ours.second[i][j], theirs.second[i][j], 1e-4 * std::abs(theirs.second[i][j]) + 1e-5)
            << i << j;
    }
  }
}

// A sample that blows up: its gradient is unknown, and the others do not notice.
TEST_P(ContinuousAdjoints, KnowNoGradientOfWhatDidNotFinish) {
  const Tensor k = parameter(1);
  const Tensor y0 = torch::tensor({{.2}, {1.0}, {.3}}, torch::dtype(torch::kDouble).requires_grad(true));
  OdeintOptions options = tight_with(GetParam());
  options.on_failure = OnFailure::Ignore;
  const auto y = odeint([k](const Tensor& s) { return k * s * s; }, y0, {0, .5, 2}, options).value;
  const auto some = gradients_of(y.select(0, 0).sum() + y.select(0, 2).sum(), {y0, k});
  EXPECT_NEAR(some[0][0].item<double>(), 1 + 1 / std::pow(1 - .1, 2) + 1 / std::pow(1 - .4, 2), 1e-7);
  EXPECT_EQ(some[0][1].item<double>(), 0);
  EXPECT_NEAR(some[1].item<double>(),
              .5 * .04 / std::pow(1 - .1, 2) + 2 * .04 / std::pow(1 - .4, 2) +
                  .5 * .09 / std::pow(1 - .15, 2) + 2 * .09 / std::pow(1 - .6, 2),
              1e-6);
  const auto all = gradients_of(y.select(1, 1).sum(), {y0, k});
  EXPECT_TRUE(std::isnan(all[0][1].item<double>()));
  EXPECT_TRUE(std::isnan(all[1].item<double>())) << "a sum has it, too";
  EXPECT_NEAR(all[0][0].item<double>(), 1 / std::pow(1 - .1, 2), 1e-7);
}

TEST_P(ContinuousAdjoints, RefuseWhatTheyCannot) {
  const auto f = [](const Tensor& y) { return -y; };
  const Tensor y0 = torch::ones({1, 2}, torch::dtype(torch::kDouble).requires_grad(true));
  OdeintOptions steps = tight_with(GetParam());
  steps.method = ode::ReversibleHeun{};
  EXPECT_THROW(odeint(f, y0, {0, 1}, steps), c10::Error);
}

// f reads w in the second half alone: never a silent zero.
TEST_P(ContinuousAdjoints, RefuseATensorThatIsReadLater) {
  const Tensor w = parameter(2);
  const Tensor v = parameter(1);
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    for (const bool captures_from_the_start : {false, true}) {
      OdeintOptions options = tight_with(GetParam());
      options.steps = steps;
      const auto f = [&, captures_from_the_start](const Tensor& t, const Tensor& y) {
        const Tensor slope = captures_from_the_start ? v * y : y;
        return t.max().item<double>() > .5 ? slope * w : slope;
      };
      const Tensor y0 = torch::ones({1, 1}, torch::dtype(torch::kDouble).requires_grad(true));
      const Tensor y = odeint(f, y0, {0, 1}, options).value;
      EXPECT_THROW(y.sum().backward(), c10::Error) << captures_from_the_start;
    }
  }
}

TEST_P(ContinuousAdjoints, OfAnEmptyBatch) {
  const Tensor w = parameter(2);
  const Tensor y0 = torch::ones({0, 3}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor y =
      odeint([w](const Tensor& s) { return -w * s; }, y0, {0, .5, 1}, tight_with(GetParam())).value;
  const auto g = gradients_of(y.sum(), {y0, w});
  EXPECT_EQ(g[0].sizes(), y0.sizes());
  EXPECT_EQ(g[1].item<double>(), 0);
}

INSTANTIATE_TEST_SUITE_P(All, ContinuousAdjoints,
                         testing::Values(ode::GradientRule(ode::Interpolating{}),
                                         ode::GradientRule(ode::Backsolve{})),
                         [](const auto& tested) { return tested.param.name(); });

// y' = -l (y - cos t): taken back, errors grow by e^(l t). d(y0, l, t1) at t = 2.
TEST(ContinuousAdjoint, IsRightOrReportedWhereTheEquationContracts) {
  for (const double rate : {50.0, 1000.0}) {
    for (const bool reconstructs : {false, true}) {
      const std::vector<Tensor> p{parameter(2), parameter(rate), parameter(2)};
      OdeintOptions options{.tolerance = {.relative = 1e-8, .absolute = 1e-10}, .max_steps = 100000};
      ode::Backsolve backsolve;
      backsolve.on_failure = OnFailure::Ignore;
      options.gradient =
          reconstructs ? ode::GradientRule(backsolve) : ode::GradientRule(ode::Interpolating{});
      const auto f = [l = p[1]](const Tensor& t, const Tensor& y) { return -l * (y - torch::cos(t)); };
      const Tensor times = torch::cat({torch::zeros({1}, torch::kDouble), p[2]});
      const auto [y, stats] = odeint(f, p[0].unsqueeze(1), times, options);
      const auto g = gradients_of(y.select(1, 1).sum(), p);
      if (reconstructs) {
        EXPECT_GT(stats.backward->reconstruction[0], 1e6) << rate;
        EXPECT_NE(stats.backward->full().find("missed"), std::string::npos);
        continue;
      }
      EXPECT_TRUE(stats.backward->reconstruction.empty());
      EXPECT_NEAR(g[0].item<double>(), 0, 1e-10);
      // y = (l² cos t + l sin t) / (l² + 1) but for what has died out.
      const double l = rate;
      const double of_l = ((2 * l * std::cos(2.0) + std::sin(2.0)) * (l * l + 1) -
                           2 * l * (l * l * std::cos(2.0) + l * std::sin(2.0))) /
                          std::pow(l * l + 1, 2);
      if (rate == 50) {
        EXPECT_NEAR(of_l, -.0003699358246772611, 1e-12);
      }
      EXPECT_NEAR(g[1].item<double>(), of_l, 1e-7) << rate;
      EXPECT_NEAR(g[2].item<double>(), (-l * l * std::sin(2.0) + l * std::cos(2.0)) / (l * l + 1), 1e-5)
          << rate;
    }
  }
}

// A loose tolerance must not hide that y has run away: what it missed is counted in units of the right y.
TEST(ContinuousAdjoint, BacksolveReportsAtLooseTolerances) {
  for (const double relative : {1e-2, 1e-3, 1e-6}) {
    const Tensor y0 = torch::full({1, 1}, 2.0, torch::dtype(torch::kDouble).requires_grad(true));
    const auto f = [](const Tensor& t, const Tensor& y) { return -50 * (y - torch::cos(t)); };
    ode::Backsolve rule;
    rule.on_failure = OnFailure::Ignore;
    const auto [y, stats] =
        odeint(f, y0, {0, 2}, {.gradient = rule, .tolerance = {.relative = relative, .absolute = relative}});
    y.select(1, 1).sum().backward();
    ASSERT_EQ(stats.backward->reconstruction.size(), 1U);
    EXPECT_GT(stats.backward->reconstruction[0], rule.most_missed) << relative;
  }
}

// At each output y is put back, also where the loss does not look.
TEST(ContinuousAdjoint, BacksolveStartsAnewAtOutputsWithoutAGradient) {
  const Tensor y0 = torch::full({1, 1}, 2.0, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [](const Tensor& t, const Tensor& y) { return -20 * (y - torch::cos(t)); };
  const auto missed = [&](const std::vector<double>& times) {
    ode::Backsolve rule;
    rule.on_failure = OnFailure::Ignore;
    const auto [y, stats] = odeint(f, y0, times, {.gradient = rule});
    y.select(1, -1).sum().backward();
    return stats.backward->reconstruction.at(0);
  };
  std::vector<double> many;
  for (int k = 0; k <= 20; ++k) many.push_back(.1 * k);
  EXPECT_GT(missed({0, 2}), 1e3);
  EXPECT_LT(missed(many), 1e2);
}

TEST(ContinuousAdjoint, BacksolveThrowsIfAskedTo) {
  const Tensor y0 = torch::ones({1, 1}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [](const Tensor& y) { return -50 * y * y * y - 50 * y; };
  ode::Backsolve rule;
  rule.on_failure = OnFailure::Throw;
  const Tensor y = odeint(f, y0, {0, 2}, {.gradient = rule}).value;
  EXPECT_THROW(y.sum().backward(), c10::Error);
  rule.most_missed = 0;
  EXPECT_THROW(odeint(f, y0, {0, 2}, {.gradient = rule}), c10::Error);
}

TEST(ContinuousAdjoint, TakesStepsOfItsOwn) {
  const Tensor y0 = torch::ones({1, 1}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [](const Tensor& y) { return -y; };
  ode::Interpolating rule{.control = ode::ConstantStep{.125}, .on_failure = OnFailure::Ignore};
  const auto [y, stats] = odeint(f, y0, {0, 1}, {.gradient = rule});
  y.select(1, 1).sum().backward();
  EXPECT_EQ(stats.backward->accepted.at(0), 8);
  EXPECT_NEAR(y0.grad().item<double>(), std::exp(-1.0), 1e-7);
  rule.max_steps = 4;
  const auto [again, few] = odeint(f, y0, {0, 1}, {.gradient = rule});
  const Tensor g = gradients_of(again.select(1, 1).sum(), {y0})[0];
  EXPECT_TRUE(std::isnan(g.item<double>()));
  EXPECT_EQ(few.backward->status.at(0), ode::Status::StepLimit);
  rule.max_steps = -1;
  EXPECT_THROW(odeint(f, y0, {0, 1}, {.gradient = rule}), c10::Error);
}

// With outputs that end steps, a backward solve costs what a forward solve does, and the quadrature.
TEST(ContinuousAdjoint, StepsCarryOverOutputs) {
  std::int64_t calls = 0;
  const Tensor a = torch::tensor({{-.1, 2.0}, {-2.0, -.1}}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [&](const Tensor& y) {
    ++calls;
    return torch::matmul(y * y * y, a);
  };
  const auto evaluations = [&](std::size_t outputs) {
    std::vector<double> times;
    for (std::size_t k = 0; k < outputs; ++k)
      times.push_back(10.0 * static_cast<double>(k) / static_cast<double>(outputs - 1));
    ode::Backsolve rule;
    rule.on_failure = OnFailure::Ignore;
    const auto [y, stats] = odeint(f, torch::tensor({{2.0, 0.0}}, torch::kDouble), times,
                                   {.gradient = rule, .stop_at_outputs = true});
    calls = 0;
    y.sum().backward();
    EXPECT_LE(static_cast<double>(calls), 1.65 * static_cast<double>(stats.evaluations)) << outputs;
    return calls;
  };
  EXPECT_LE(static_cast<double>(evaluations(20)), 1.1 * static_cast<double>(evaluations(2)));
  evaluations(200);
}

}  // namespace
}  // namespace stillpoint::test
