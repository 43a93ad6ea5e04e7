// What a solve returns beside its outputs: the ends of its steps, and what lies between.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

Tensor turning(const Tensor& t, const Tensor& y) {
  return torch::stack({y.select(1, 1), -(1 + .3 * torch::cos(t.flatten())) * y.select(1, 0)}, 1);
}

Tensor two_points() { return torch::tensor({{1.0, 0.0}, {.2, -.7}}, torch::kDouble); }

TEST(OdeintSave, EndsOfSteps) {
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    OdeintOptions options{.steps = steps};
    const auto plain = odeint(turning, two_points(), {0, 1, 4}, options);
    EXPECT_FALSE(plain.steps.y.defined());
    options.save = ode::SaveSteps{};
    const auto all = odeint(turning, two_points(), {0, 1, 4}, options);
    EXPECT_TRUE(identical(all.value, plain.value)) << "saving changes no step";
    const std::int64_t most = std::max(all.stats.accepted[0], all.stats.accepted[1]);
    ASSERT_EQ(all.steps.y.sizes(), (std::vector<std::int64_t>{2, 1 + most, 2}));
    ASSERT_EQ(all.steps.time.sizes(), (std::vector<std::int64_t>{2, 1 + most}));
    for (int b = 0; b < 2; ++b) {
      const std::int64_t taken = all.stats.accepted[b];
      EXPECT_TRUE(identical(all.steps.y[b][taken], plain.value[b][2]));
      EXPECT_TRUE(identical(all.steps.y[b][0], two_points()[b]));
      EXPECT_EQ(all.steps.time[b][taken].item<double>(), 4);
      EXPECT_EQ(all.steps.y[b].slice(0, taken + 1).isnan().logical_not().sum().item<std::int64_t>(), 0);
      EXPECT_EQ(all.steps.time[b].slice(0, taken + 1).isnan().logical_not().sum().item<std::int64_t>(), 0);
      const Tensor times = all.steps.time[b].slice(0, 0, taken + 1);
      EXPECT_TRUE((times.diff() > 0).all().item<bool>());
    }
    options.save = ode::SaveSteps{.every = 3};
    const auto third = odeint(turning, two_points(), {0, 1, 4}, options);
    // A rule that needs all of them itself.
    options.gradient = ode::Interpolating{};
    const auto with_others = odeint(turning, two_points(), {0, 1, 4}, options);
    const torch::NoGradGuard no_grad;
    const auto constant = odeint(turning, two_points(), {0, 1, 4}, options);
    for (const auto& some : {third, with_others, constant}) {
      ASSERT_EQ(some.steps.time.size(1), 1 + most / 3);
      for (std::int64_t k = 0; k <= most / 3; ++k) {
        EXPECT_TRUE(torch::equal(some.steps.y.select(1, k).nan_to_num(-1),
                                 all.steps.y.select(1, 3 * k).nan_to_num(-1)));
        EXPECT_TRUE(torch::equal(some.steps.time.select(1, k).nan_to_num(-1),
                                 all.steps.time.select(1, 3 * k).nan_to_num(-1)));
      }
    }
  }
}

// A ball that bounces, is pushed once at a known time, and is asked for before, between and after.
struct Ball {
  std::vector<Tensor> p{parameter(1.2), parameter(9.8), parameter(.1),
                        parameter(.8)};  // height, g, floor, push
  Tensor t = torch::tensor({.1, 1.1}, torch::dtype(torch::kDouble).requires_grad(true));
  std::vector<double> wanted{.2, .45, .65, .79, .81, .95, 1.1};

  std::vector<Tensor> inputs(const Tensor& asked) const { return {p[0], p[1], p[2], p[3], t, asked}; }

  OdeintOptions options(const ode::Method& method) const {
    OdeintOptions options{.method = method, .control = ode::ConstantStep{.07}};
    options.events = {{.when = [floor = p[2]](const Tensor& y) { return y.select(1, 0) - floor; },
                       .crossing = ode::Crossing::Falling,
                       .terminal = 0,
                       .then =
                           [](const Tensor& y) {
                             return torch::stack({y.select(1, 0), -.7 * y.select(1, 1)}, 1);
                           }}};
    options.jumps = {.times = p[3], .then = [](const Tensor& y) { return y + .25; }};
    return options;
  }
  ode::Solution<Tensor> solve(const ode::Times& times, const OdeintOptions& options) const {
    const auto f = [g = p[1]](const Tensor& y) {
      return torch::stack({y.select(1, 1), -g * torch::cos(y.select(1, 0))}, 1);
    };
    return odeint(f, torch::stack({p[0], torch::zeros_like(p[0])}, 1), times, options);
  }
};

// The derivatives of a number, of first and second order, in a row.
Tensor both_orders(const Tensor& of, const std::vector<Tensor>& in) {
  const auto flat = [&](const Tensor& number, bool graph) {
    const auto g = torch::autograd::grad({number}, in, {}, true, graph, true);
    std::vector<Tensor> parts;
    for (std::size_t i = 0; i < in.size(); ++i)
      parts.push_back((g[i].defined() ? g[i] : torch::zeros_like(in[i])).flatten());
    return torch::cat(parts);
  };
  const Tensor first = flat(of, true);
  return torch::cat({first, flat(first.square().sum(), false)}).detach();
}

class DenseSolutions : public testing::TestWithParam<MethodCandidate> {};

// An output at each time is the same number, found on another way, with the same derivatives.
TEST_P(DenseSolutions, AreWhatAnOutputThereIs) {
  const Ball dense_ball;
  OdeintOptions options = dense_ball.options(GetParam().method);
  options.save = ode::SaveDense{};
  const auto solution = dense_ball.solve(dense_ball.t, options);
  const Tensor asked = torch::tensor(dense_ball.wanted, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor dense = solution.dense(asked);
  for (std::size_t k = 0; k < dense_ball.wanted.size(); ++k) {
    const Ball ball;
    const bool last = k + 1 == dense_ball.wanted.size();
    const Tensor middle =
        torch::tensor({dense_ball.wanted[k]}, torch::dtype(torch::kDouble).requires_grad(true));
    const Tensor times = last ? ball.t : torch::cat({ball.t.slice(0, 0, 1), middle, ball.t.slice(0, 1)});
    const Tensor right = ball.solve(times, ball.options(GetParam().method)).value.select(1, 1);
    const auto column = static_cast<std::int64_t>(k);
    EXPECT_TRUE(close(dense.select(1, column), right, 1e-12)) << dense_ball.wanted[k];
    Tensor found = both_orders(dense.select(1, column).square().sum(), dense_ball.inputs(asked));
    Tensor expected = both_orders(right.square().sum(), ball.inputs(middle));
    // Six parameters, then what was asked for: of all of which one counts.
    const std::int64_t half = found.numel() / 2;
    const auto fold = [&](const Tensor& row) {
      return torch::cat({row.slice(0, 0, 6), row.slice(0, 6, half).sum().unsqueeze(0),
                         row.slice(0, half, half + 6), row.slice(0, half + 6).sum().unsqueeze(0)});
    };
    found = fold(found);
    if (last) {  // the end is asked for as one and as the other
      for (const std::int64_t at : {0L, 7L}) {
        found[at + 5] += found[at + 6];
        found[at + 6] = 0;
      }
      EXPECT_TRUE(close(found.slice(0, 0, 7), expected.slice(0, 0, 7), 1e-9)) << "the end";
      continue;
    }
    EXPECT_TRUE(close(found, expected, 1e-8)) << dense_ball.wanted[k];
  }
}

// With and without an interpolant; with and without a memory.
INSTANTIATE_TEST_SUITE_P(Some, DenseSolutions,
                         testing::Values(MethodCandidate{"Heun", ode::Heun{}},
                                         MethodCandidate{"Tsit5", ode::Tsit5{}},
                                         MethodCandidate{"Adams", ode::AdamsBashforthMoulton{}},
                                         MethodCandidate{"ReversibleHeun", ode::ReversibleHeun{}}),
                         [](const auto& tested) { return tested.param.name; });

TEST(OdeintSave, DenseForListsAndForEachSampleItsOwnTimes) {
  const auto f = [](const std::vector<Tensor>& y) { return std::vector<Tensor>{y[1], -y[0]}; };
  const auto solution =
      odeint(f, {torch::ones({2, 1}, torch::kDouble), torch::zeros({2, 1}, torch::kDouble)}, {0, 3},
             {.tolerance = {.relative = 1e-9, .absolute = 1e-9},
              .steps = ode::Steps::PerSample,
              .save = ode::SaveDense{}});
  const Tensor t = torch::tensor({{.3, 2.9, 0.0}, {1.1, 1.2, 3.0}}, torch::kDouble);
  const auto y = solution.dense(t);
  ASSERT_EQ(y.size(), 2U);
  EXPECT_TRUE(close(y[0].squeeze(2), torch::cos(t), 1e-8));
  EXPECT_TRUE(close(y[1].squeeze(2), -torch::sin(t), 1e-8));
  EXPECT_EQ(solution.steps.y.size(), 2U);
}

TEST(OdeintSave, DenseSaysWhatItCannotTell) {
  const auto f = [](const Tensor& y) { return y * y; };
  const Tensor y0 = torch::tensor({{.2}, {1.0}}, torch::kDouble);
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    const auto solution =
        odeint(f, y0, {0, 2}, {.steps = steps, .save = ode::SaveDense{}, .on_failure = OnFailure::Ignore});
    const Tensor y = solution.dense(torch::tensor({.5, 1.5}, torch::kDouble));
    EXPECT_NEAR(y[1][0].item<double>(), 2, 1e-3);
    EXPECT_TRUE(std::isnan(y[1][1].item<double>())) << "it blew up before";
    EXPECT_NEAR(y[0][1].item<double>(), .2 / .7, 1e-4);
    EXPECT_THROW(solution.dense(torch::tensor({2.1}, torch::kDouble)), c10::Error);
    EXPECT_THROW(solution.dense(torch::tensor({-.1}, torch::kDouble)), c10::Error);
    EXPECT_THROW(solution.dense(torch::tensor({std::nan("")}, torch::kDouble)), c10::Error);
    EXPECT_THROW(solution.dense(torch::tensor({1})), c10::Error);
    EXPECT_THROW(solution.dense(torch::Tensor()), c10::Error);
  }
  EXPECT_THROW(odeint(f, y0, {0, .5}).dense(torch::tensor({.1})), c10::Error) << "it was not asked for";
  EXPECT_THROW(odeint(f, y0, {0, .5}, {.save = ode::SaveSteps{.every = 0}}), c10::Error);
  // Of a solve that takes no step.
  const auto none = odeint(f, y0, {0}, {.save = ode::SaveDense{}});
  EXPECT_TRUE(identical(none.dense(torch::tensor({0.0}, torch::kDouble)).select(1, 0), y0));
}

}  // namespace
}  // namespace stillpoint::test
