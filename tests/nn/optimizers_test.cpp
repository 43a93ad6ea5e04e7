// Second-order optimizers as LibTorch has them.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>
#include <sstream>

#include "stillpoint/equations/fixed_point.h"
#include "stillpoint/nn/natural_gradient.h"
#include "stillpoint/nn/newton_cg.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

namespace F = torch::nn::functional;

// ½ w'Aw − b'w over two parameters, with A positive definite.
struct Quadratic {
  Quadratic() {
    torch::manual_seed(1);
    const Tensor root = normal({6, 6});
    A = root.mm(root.t()) + torch::eye(6, options());
    b = normal({6});
    parameters = {normal({2, 2}).requires_grad_(), normal({2}).requires_grad_()};
  }
  Tensor w() const { return torch::cat({parameters[0].flatten(), parameters[1]}); }
  Tensor loss() const { return 0.5 * w().dot(A.mv(w())) - b.dot(w()); }
  Tensor minimum() const { return at::linalg_solve(A, b.unsqueeze(1)).squeeze(1); }

  Tensor A, b;
  std::vector<Tensor> parameters;
};

TEST(NewtonCgOptimizer, SolvesAQuadraticInOneStep) {
  const Quadratic problem;
  nn::NewtonCg optimizer(problem.parameters, nn::NewtonCgOptions().tolerance(1e-12));
  const double before = problem.loss().item<double>();
  const Tensor returned = optimizer.step([&] { return problem.loss(); });
  EXPECT_DOUBLE_EQ(returned.item<double>(), before);
  EXPECT_TRUE(close(problem.w(), problem.minimum(), 1e-10));
  const auto& step = optimizer.last_step();
  EXPECT_DOUBLE_EQ(step.loss_before, before);
  EXPECT_NEAR(step.loss_after, problem.loss().item<double>(), 1e-12);
  EXPECT_DOUBLE_EQ(step.length, 1);
  EXPECT_NEAR(step.gain, 1, 1e-9);
  EXPECT_LE(step.products, 7);
  EXPECT_EQ(step.evaluations, 2);
  EXPECT_FALSE(step.negative_curvature);
}

TEST(NewtonCgOptimizer, DecaysTheWeightsOfAGroup) {
  Quadratic problem;
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(
      std::vector<Tensor>{problem.parameters[0]},
      std::make_unique<nn::NewtonCgOptions>(nn::NewtonCgOptions().tolerance(1e-12).weight_decay(2)));
  groups.emplace_back(std::vector<Tensor>{problem.parameters[1]});
  nn::NewtonCg optimizer(groups, nn::NewtonCgOptions().tolerance(1e-12));
  optimizer.step([&] { return problem.loss(); });
  problem.A = problem.A + torch::diag(vector({2, 2, 2, 2, 0, 0}));
  EXPECT_TRUE(close(problem.w(), problem.minimum(), 1e-10));
  EXPECT_NEAR(optimizer.last_step().loss_after, problem.loss().item<double>(), 1e-11);
}

TEST(NewtonCgOptimizer, DampsTheStep) {
  Quadratic problem;
  nn::NewtonCg optimizer(problem.parameters, nn::NewtonCgOptions().tolerance(1e-13).damping(3));
  const Tensor start = problem.w().detach();
  optimizer.step([&] { return problem.loss(); });
  const Tensor damped = problem.A + 3 * torch::eye(6, options());
  const Tensor d = at::linalg_solve(damped, (problem.b - problem.A.mv(start)).unsqueeze(1)).squeeze(1);
  EXPECT_TRUE(close(problem.w(), start + d, 1e-10));
  optimizer.step([&] { return problem.loss(); });
  EXPECT_DOUBLE_EQ(optimizer.last_step().damping, 2) << "the model foretold the loss, so ·2/3";
}

TEST(NewtonCgOptimizer, LeavesASaddleDownwardsAndEndsInAMinimum) {
  // x⁴ − 2x² + y² in (0.1, 1): its Hessian is negative in x there, and its minima are at ±1.
  const Tensor w = vector({0.1, 1}).requires_grad_();
  const auto loss = [&] { return w[0].pow(4) - 2 * w[0].square() + w[1].square(); };
  nn::NewtonCg optimizer({w}, nn::NewtonCgOptions().tolerance(0.1));
  double last = loss().item<double>();
  bool met_negative_curvature = false;
  for (int i = 0; i < 30; ++i) {
    optimizer.step(loss);
    EXPECT_LE(optimizer.last_step().loss_after, last);
    last = optimizer.last_step().loss_after;
    met_negative_curvature = met_negative_curvature || optimizer.last_step().negative_curvature;
  }
  EXPECT_TRUE(met_negative_curvature);
  EXPECT_TRUE(close(w.abs(), vector({1, 0}), 1e-8));
}

TEST(NewtonCgOptimizer, LeavesAMaximumOfAnyScale) {
  const Tensor w = vector({0.1}).requires_grad_();
  nn::NewtonCg optimizer({w});
  for (int i = 0; i < 30; ++i) optimizer.step([&] { return 1e4 * (w.square() - 1).square().sum(); });
  EXPECT_NEAR(std::abs(w.item<double>()), 1, 1e-6);
}

TEST(NewtonCgOptimizer, JudgesAShorterStepByTheModelAtItsEnd) {
  const Quadratic problem;
  nn::NewtonCg optimizer(problem.parameters, nn::NewtonCgOptions(0.1).tolerance(1e-12).damping(3));
  optimizer.step([&] { return problem.loss(); });
  EXPECT_NEAR(optimizer.last_step().gain, 1, 1e-9);
}

TEST(NewtonCgOptimizer, LeavesTheParametersWhereNoTrialIsBetter) {
  const Tensor w = vector({1}).requires_grad_();
  int calls = 0;
  const auto rises = [&] { return (calls++ == 0 ? 0.0 : 10.0) + w.square().sum(); };
  nn::NewtonCg optimizer({w}, nn::NewtonCgOptions().damping(1).max_trials(3));
  optimizer.step(rises);
  EXPECT_DOUBLE_EQ(w.item<double>(), 1);
  EXPECT_EQ(optimizer.last_step().length, 0);
  EXPECT_EQ(optimizer.last_step().loss_after, optimizer.last_step().loss_before);
  EXPECT_EQ(optimizer.last_step().evaluations, 4);
  calls = 0;
  optimizer.step(rises);
  EXPECT_DOUBLE_EQ(optimizer.last_step().damping, 1.5);
}

TEST(NewtonCgOptimizer, GoesThroughAFixedPoint) {
  torch::manual_seed(2);
  const Tensor x = normal({8, 3}), truth = 0.3 * normal({3, 3});
  const Tensor w = zeros({3, 3}).requires_grad_();
  const auto layer = [&](const Tensor& matrix) {
    return fixed_point([&](const Tensor& z) { return torch::tanh(z.mm(matrix) + x); }, torch::zeros_like(x),
                       {.tolerance = {.relative = 1e-12, .absolute = 1e-12}})
        .value;
  };
  const Tensor target = layer(truth).detach();
  const auto loss = [&] { return (layer(w) - target).square().sum(); };
  nn::NewtonCg optimizer({w}, nn::NewtonCgOptions().tolerance(0.1));
  for (int i = 0; i < 12; ++i) optimizer.step(loss);
  EXPECT_TRUE(close(w, truth, 1e-6));
}

// Logistic regression on inputs x, and on inputs x T: the same model in other parameters.
struct Regression {
  Regression() {
    torch::manual_seed(3);
    x = normal({40, 4});
    labels = (normal({40, 3}) + x.mm(normal({4, 3}))).argmax(1);
  }
  Tensor loss_of(const Tensor& logits) const { return F::cross_entropy(logits, labels); }
  Tensor x, labels;
};

TEST(NaturalGradientOptimizer, DoesNotDependOnTheParametrization) {
  const Regression problem;
  const Tensor T = normal({4, 4}) + 2 * torch::eye(4, options());
  const Tensor w = normal({4, 3}).requires_grad_();
  const Tensor u = at::linalg_solve(T, w.detach()).requires_grad_();  // w = T u
  const auto exact = nn::NaturalGradientOptions().damping(0).tolerance(1e-12);
  nn::NaturalGradient one({w}, exact), other({u}, exact);
  const auto loss = [&](const Tensor& z) { return problem.loss_of(z); };
  const Tensor start = w.detach().clone();
  for (int i = 0; i < 3; ++i) {
    one.step([&] { return problem.x.mm(w); }, loss);
    other.step([&] { return problem.x.mm(T).mm(u); }, loss);
    EXPECT_NEAR(one.last_step().loss_after, other.last_step().loss_after, 1e-9);
  }
  // Adding the same to all classes changes nothing: compare what the model says.
  const auto said = [&](const Tensor& z) { return torch::log_softmax(z, 1); };
  EXPECT_TRUE(close(said(problem.x.mm(w)), said(problem.x.mm(T).mm(u)), 1e-7));
  EXPECT_FALSE(close(w, start, 1e-2));
}

TEST(NaturalGradientOptimizer, IsGaussNewtonForSquares) {
  torch::manual_seed(4);
  const Tensor x = normal({20, 3}), y = normal({20});
  const Tensor w = normal({3}).requires_grad_();
  nn::NaturalGradient optimizer({w}, nn::NaturalGradientOptions().damping(0).tolerance(1e-12));
  optimizer.step([&] { return x.mv(w); }, [&](const Tensor& z) { return (z - y).square().mean(); });
  const Tensor expected = std::get<0>(at::linalg_lstsq(x, y.unsqueeze(1))).squeeze(1);
  EXPECT_TRUE(close(w, expected, 1e-10));
}

TEST(NaturalGradientOptimizer, TakesTheEmpiricalFisherMatrix) {
  const Regression problem;
  const Tensor w = (0.1 * normal({4, 3})).requires_grad_();
  const auto losses = [&] {
    return F::cross_entropy(problem.x.mm(w), problem.labels,
                            F::CrossEntropyFuncOptions().reduction(torch::kNone));
  };
  // The first step by hand: (G'G / B + λ) d = −g, with a row of G for each sample.
  std::vector<Tensor> rows;
  for (const Tensor& one : losses().unbind()) {
    rows.push_back(torch::autograd::grad({one}, {w}, {}, true)[0].flatten());
  }
  const Tensor G = torch::stack(rows);
  const Tensor matrix = G.t().mm(G) / 40 + 0.5 * torch::eye(12, options());
  const Tensor d = at::linalg_solve(matrix, -G.mean(0).unsqueeze(1)).view({4, 3});
  const Tensor start = w.detach().clone();
  nn::NaturalGradient optimizer({w}, nn::NaturalGradientOptions().damping(0.5).tolerance(1e-12));
  const double before = losses().mean().item<double>();
  EXPECT_NEAR(optimizer.step(losses).item<double>(), before, 1e-14);
  EXPECT_TRUE(close(w, start + optimizer.last_step().length * d, 1e-10));
  EXPECT_LT(losses().mean().item<double>(), before);
}

// Two spirals, which a small net separates.
struct Spirals {
  explicit Spirals(torch::Dtype dtype) {
    torch::manual_seed(5);
    const Tensor t = torch::linspace(0.3, 1.6, 60, options(dtype)) * 3.1;
    const Tensor arm = torch::stack({t * t.cos(), t * t.sin()}, 1) / 5;
    x = torch::cat({arm, -arm});
    labels = torch::cat({torch::zeros({60}, torch::kLong), torch::ones({60}, torch::kLong)}).to(device());
    net = torch::nn::Sequential(torch::nn::Linear(2, 16), torch::nn::Tanh(), torch::nn::Linear(16, 2));
    net->to(device(), dtype);
  }
  Tensor loss_of(const Tensor& logits) const { return F::cross_entropy(logits, labels); }
  Tensor x, labels;
  mutable torch::nn::Sequential net = nullptr;
};

void expect_learns(torch::Dtype dtype) {
  const Spirals by_newton(dtype), by_nature(dtype);
  nn::NewtonCg newton(by_newton.net->parameters(), nn::NewtonCgOptions().damping(1e-3).max_products(50));
  nn::NaturalGradient natural(by_nature.net->parameters(),
                              nn::NaturalGradientOptions().damping(0.1).max_products(50));
  double newton_loss = std::numeric_limits<double>::infinity(), natural_loss = newton_loss;
  for (int i = 0; i < 80; ++i) {
    newton.step([&] { return by_newton.loss_of(by_newton.net->forward(by_newton.x)); });
    natural.step([&] { return by_nature.net->forward(by_nature.x); },
                 [&](const Tensor& z) { return by_nature.loss_of(z); });
    ASSERT_LE(newton.last_step().loss_after, newton.last_step().loss_before);
    ASSERT_LE(natural.last_step().loss_after, natural.last_step().loss_before);
    newton_loss = newton.last_step().loss_after;
    natural_loss = natural.last_step().loss_after;
  }
  EXPECT_LT(newton_loss, 0.05);
  EXPECT_LT(natural_loss, 0.05);
}

TEST(CurvatureOptimizers, TrainASmallNet) {
  expect_learns(torch::kDouble);
  expect_learns(torch::kFloat);
}

TEST(CurvatureOptimizers, GoOnFromWhatTheySaved) {
  const auto run = [](const std::vector<int>& parts) {
    const Spirals data(torch::kDouble);
    std::stringstream stream;
    for (std::size_t part = 0; part < parts.size(); ++part) {
      nn::NaturalGradient optimizer(data.net->parameters(), part == 0
                                                                ? nn::NaturalGradientOptions().damping(0.2)
                                                                : nn::NaturalGradientOptions(0.5));
      if (part > 0) torch::load(optimizer, stream);
      for (int i = 0; i < parts[part]; ++i) {
        optimizer.step([&] { return data.net->forward(data.x); },
                       [&](const Tensor& z) { return data.loss_of(z); });
      }
      stream.str("");
      torch::save(optimizer, stream);
    }
    return data.net->parameters()[0].detach().clone();
  };
  EXPECT_TRUE(identical(run({3, 4}), run({7})));
  EXPECT_FALSE(close(run({7}), run({6}), 1e-12));
}

TEST(CurvatureOptimizers, RefuseMisuse) {
  const Quadratic problem;
  const auto loss = [&] { return problem.loss(); };
  nn::NewtonCg newton(problem.parameters);
  nn::NaturalGradient natural(problem.parameters);
  expect_error([&] { newton.step(nullptr); }, "closure");
  expect_error(
      [&] {
        newton.step([&] {
          const Tensor l = loss();
          l.backward();
          return l;
        });
      },
      "leave backward() out");
  expect_error([&] { newton.step([&] { return problem.w(); }); }, "[6]");
  expect_error([&] { newton.step([&] { return loss() * std::nan(""); }); }, "finite");
  expect_error([&] { natural.step(loss); }, "[B]");
  expect_error([&] { natural.step([&] { return problem.w(); }, nullptr); }, "loss");
  expect_error([&] { nn::NewtonCg(problem.parameters, nn::NewtonCgOptions().damping(-1)); }, "damping");
  expect_error([&] { nn::NewtonCg(problem.parameters, nn::NewtonCgOptions().tolerance(1)); }, "tolerance");
  expect_error([&] { nn::NewtonCg(problem.parameters, nn::NewtonCgOptions(0)); }, "lr");
  expect_error([&] { nn::NaturalGradient(problem.parameters, nn::NaturalGradientOptions().max_products(0)); },
               "max_products");
  nn::NewtonCg fixed({vector({1})});
  expect_error([&] { fixed.step(loss); }, "require a gradient");
  std::stringstream stream;
  torch::save(newton, stream);
  nn::NewtonCg other(std::vector<Tensor>{problem.parameters[0]});
  expect_error([&] { torch::load(other, stream); }, "1 parameters");
}

}  // namespace
}  // namespace stillpoint::test
