// Steps of gradient descent on tasks, and what meta-learning asks of them.
#include "stillpoint/optim/adapt.h"

#include <gtest/gtest.h>

#include "optim/programs.h"
#include "support/layer_check.h"
#include "support/memory.h"

namespace stillpoint::test {
namespace {

// ½ (φ − a)'H(φ − a), whose meta-gradients are known by hand.
struct Bowl {
  Tensor H = vector({2, 1, 1, 3}).view({2, 2});
  Tensor a = vector({1, -1});
  Tensor operator()(const Tensor& phi) const { return .5 * ((phi - a).matmul(H) * (phi - a)).sum(1); }
};

Tensor distance_to_goal(const Tensor& phi) { return .5 * (phi - vector({2, 0})).square().sum(); }

TaskLoss bowl() {
  return [](const State& phi) { return Bowl{}(phi[0]); };
}

// Another loss for each task, and one that reads two tensors of a task, and what it captured.
struct Products {
  Tensor scale, targets;
  Tensor operator()(const State& w) const {
    const Tensor out = torch::tanh(torch::bmm(w[0], w[1])) * scale;
    return (out - targets).square().sum({1, 2});
  }
};

// By autograd alone.
State unrolled_by_hand(const TaskLoss& loss, State w, std::int64_t steps, double rate) {
  for (std::int64_t k = 0; k < steps; ++k) {
    const auto slopes = torch::autograd::grad({loss(w).sum()}, w, {}, true, true);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = w[i] - rate * slopes[i];
  }
  return w;
}

struct TwoTensors {
  Tensor first = normal({2, 3}).requires_grad_();
  Tensor second = normal({3, 2}).requires_grad_();
  Products loss{(1 + .1 * normal({2, 2})).requires_grad_(), normal({4, 2, 2})};

  State start() const { return {first.expand({4, 2, 3}), second.expand({4, 3, 2})}; }
  std::vector<Tensor> inputs() const { return {first, second, loss.scale}; }
  // First and second derivatives of what came out.
  std::vector<Tensor> derivatives(const State& end) const {
    const Tensor value = (end[0].square().sum() * end[1].exp().mean() + end[1].square().sum()).log();
    auto all = gradients(value, inputs(), true);
    Tensor mixed = torch::zeros_like(value);
    for (const Tensor& slope : all) mixed = mixed + slope.square().sum();
    for (const Tensor& second_order : gradients(mixed, inputs())) all.push_back(second_order);
    return all;
  }
};

TEST(Adapt, GivesTheMetaGradientOfOneStep) {
  const Tensor theta = leaf({0, 2}, {1, 2});
  const State end = adapt(bowl(), {theta}, {.rate = .1});
  EXPECT_TRUE(close(end[0], vector({-.1, 1.2}).view({1, 2}), 1e-15));
  EXPECT_TRUE(
      close(gradients(distance_to_goal(end[0]), {theta})[0], vector({-1.8, 1.05}).view({1, 2}), 1e-14));
}

TEST(Adapt, LeavesTheHessianOutInFirstOrder) {
  const Tensor theta = leaf({0, 2}, {1, 2});
  const State end = adapt(bowl(), {theta}, {.rate = .1, .first_order = true});
  EXPECT_TRUE(
      close(gradients(distance_to_goal(end[0]), {theta})[0], vector({-2.1, 1.2}).view({1, 2}), 1e-14));
}

// The other way to adapt: to the minimum of loss + λ/2 ‖φ − θ‖², by the implicit function theorem.
TEST(Adapt, HasAnImplicitCounterpart) {
  for (const Minimizer& solver : {Minimizer(optim::NewtonCg{}), Minimizer(optim::Lbfgs{})}) {
    const Tensor theta = leaf({0, 2}, {1, 2});
    const Tensor lambda = leaf({1}, {});
    const auto proximal = [&](const Tensor& phi) {
      return Bowl{}(phi) + .5 * lambda * (phi - theta).square().sum(1);
    };
    const auto [phi, stats] = minimize(proximal, theta, {.solver = solver});
    ASSERT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(phi, vector({4, -1}).view({1, 2}) / 11, 1e-10));
    const auto row = [&](std::int64_t i) { return gradients(phi[0][i], {theta, lambda}); };
    EXPECT_TRUE(close(row(0)[0], vector({4, -1}).view({1, 2}) / 11, 1e-10));
    EXPECT_TRUE(close(row(1)[0], vector({-1, 3}).view({1, 2}) / 11, 1e-10));
    EXPECT_NEAR(row(0)[1].item<double>(), -39.0 / 121, 1e-10);
    EXPECT_NEAR(row(1)[1].item<double>(), 73.0 / 121, 1e-10);
    EXPECT_TRUE(
        close(gradients(distance_to_goal(phi), {theta})[0], vector({-71, 15}).view({1, 2}) / 121, 1e-10));
  }
}

TEST(Adapt, AgreesWithAutogradToSecondOrder) {
  torch::manual_seed(1);
  const TwoTensors tasks;
  const auto expected = tasks.derivatives(unrolled_by_hand(tasks.loss, tasks.start(), 5, .05));
  for (const std::int64_t every : {0, 1, 2, 5, 9}) {
    const auto got = tasks.derivatives(
        adapt(tasks.loss, tasks.start(), {.steps = 5, .rate = .05, .checkpoint_every = every}));
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(close(got[i], expected[i], 1e-12)) << every;
  }
}

TEST(Adapt, HasExactDerivatives) {
  torch::manual_seed(2);
  const Layer layer = [](const Solve&, const std::vector<Tensor>& in) {
    const auto loss = [&](const State& w) {
      return (torch::tanh(w[0]) * in[1] - in[2]).square().sum(1) + .1 * w[0].pow(4).sum(1);
    };
    return adapt(loss, {in[0]}, {.steps = 3, .rate = .1})[0];
  };
  check_layer(layer, {per_sample(normal({4, 3})), per_sample(normal({4, 3})), shared(normal({3}))},
              {.variants = {exact_variants().front()}});
}

// A loss that captured where the steps start, as one that stays near to it does.
TEST(Adapt, TellsItsArgumentFromACapturedStart) {
  const Tensor theta = leaf({.5, -1}, {1, 2});
  const auto near = [&](const State& phi) { return phi[0].pow(4).sum(1) + (phi[0] * theta).sum(1); };
  const auto by_hand = [&](double rate) { return theta - rate * (4 * theta.pow(3) + theta); };
  const auto first = adapt(near, {theta}, {.rate = .1})[0];
  EXPECT_TRUE(close(first, by_hand(.1), 1e-15));
  EXPECT_TRUE(close(gradients(first.square().sum(), {theta})[0],
                    gradients(by_hand(.1).square().sum(), {theta})[0], 1e-14));
}

TEST(Adapt, KeepsWhatTheLossIgnores) {
  const Tensor used = leaf({1, 2}, {1, 2});
  const Tensor idle = leaf({3}, {1, 1});
  const State end = adapt([](const State& w) { return w[0].square().sum(1); }, {used, idle}, {.rate = .25});
  EXPECT_TRUE(close(end[0], .5 * used, 0.0));
  EXPECT_TRUE(identical(end[1], idle));
}

TEST(Adapt, RecordsNothingWithoutGradients) {
  torch::manual_seed(3);
  const TwoTensors tasks;
  const State expected = adapt(tasks.loss, tasks.start(), {.steps = 2});
  {
    const torch::NoGradGuard off;
    const State end = adapt(tasks.loss, tasks.start(), {.steps = 2});
    EXPECT_FALSE(end[0].requires_grad());
    EXPECT_TRUE(identical(end[0], expected[0]));
  }
  const c10::InferenceMode inference;
  EXPECT_TRUE(identical(adapt(tasks.loss, tasks.start(), {.steps = 2})[1], expected[1]));
}

TEST(Adapt, LeavesGradientsOfParametersAlone) {
  const TwoTensors tasks;
  adapt(tasks.loss, tasks.start(), {.steps = 2, .first_order = true});
  for (const Tensor& t : tasks.inputs()) EXPECT_FALSE(t.grad().defined());
}

TEST(Adapt, NamesWhatIsWrong) {
  const Tensor theta = torch::zeros({2, 3});
  const TaskLoss good = [](const State& w) { return w[0].square().sum(1); };
  expect_error([&] { adapt(nullptr, {theta}); }, "loss: expected a function");
  expect_error([&] { adapt(good, {}); }, "expected at least one tensor");
  expect_error([&] { adapt(good, {theta}, {.steps = -1}); }, "steps: expected ≥ 0, got -1");
  expect_error([&] { adapt(good, {theta}, {.rate = 0}); }, "rate: expected a finite number > 0, got 0");
  expect_error([&] { adapt(good, {theta}, {.checkpoint_every = -2}); },
               "checkpoint_every: expected ≥ 0, got -2");
  expect_error([&] { adapt([](const State& w) { return w[0].sum(); }, {theta}); },
               "loss: expected one number for each task, shape [2], got shape []");
  expect_error([&] { adapt([](const State& w) { return w[0].to(torch::kDouble).sum(1); }, {theta}); },
               "loss: expected Float");
}

}  // namespace
}  // namespace stillpoint::test
