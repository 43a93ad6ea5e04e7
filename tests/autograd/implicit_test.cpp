#include "stillpoint/autograd/implicit.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/confirm.h"
#include "stillpoint/linear/solvers/dense_lu.h"
#include "support/compare.h"
#include "support/device.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

ImplicitRule rule() { return {.solver = DenseLu{}, .on_failure = OnFailure::Throw}; }

Condition root_of(Map g) { return Condition(std::move(g)).stated(Form::Root, "g"); }

// The real root of z³ + z = x, by Newton's method.
Tensor cubic_root(const Tensor& x) {
  const torch::NoGradGuard off;
  Tensor z = torch::zeros_like(x);
  for (int i = 0; i < 100; ++i) z = z - (z.pow(3) + z - x) / (3 * z.square() + 1);
  return z;
}

// z = f(z) for the affine f(z) = z A + x, by a dense solve.
struct Affine {
  Tensor a = normal({3, 3}) * 0.2;
  Tensor x = normal({4, 3});
  Tensor inverse() const { return torch::inverse(torch::eye(3, options()) - a); }
  Tensor solution() const { return x.matmul(inverse()).detach(); }
};

TEST(Implicit, RootHasTheDerivativesOfTheInverseFunction) {
  const Tensor x = normal({5, 1}).requires_grad_();
  const Tensor root = cubic_root(x);
  const Tensor z = implicit(root_of([&](const Tensor& y) { return y.pow(3) + y - x; }), root, rule());
  EXPECT_TRUE(identical(z, root));
  const Tensor slope = 3 * root.square() + 1;
  const auto first = grad({z.sum()}, {x}, {}, true, true)[0];
  const auto second = grad({first.sum()}, {x}, {}, true, true)[0];
  const auto third = grad({second.sum()}, {x})[0];
  EXPECT_TRUE(close(first, 1 / slope, 1e-13));
  EXPECT_TRUE(close(second, -6 * root / slope.pow(3), 1e-13));
  EXPECT_TRUE(close(third, (-6 * slope + 108 * root.square()) / slope.pow(5), 1e-12));
}

TEST(Implicit, FixedPointHasTheGradientOfTheDenseSolve) {
  Affine problem;
  problem.a.requires_grad_();
  problem.x.requires_grad_();
  const Tensor z =
      implicit([&](const Tensor& y) { return y.matmul(problem.a) + problem.x; }, problem.solution(), rule());
  const Tensor g = normal({4, 3});
  const auto actual = grad({z}, {problem.a, problem.x}, {g});
  const auto expected = grad({problem.x.matmul(problem.inverse())}, {problem.a, problem.x}, {g});
  EXPECT_TRUE(close(actual[0], expected[0], 1e-13));
  EXPECT_TRUE(close(actual[1], expected[1], 1e-13));
}

TEST(Implicit, IsAConstantWhereThereIsNothingToDifferentiate) {
  Affine problem;
  const Map f = [&](const Tensor& y) { return y.matmul(problem.a) + problem.x; };
  EXPECT_FALSE(implicit(f, problem.solution(), rule()).requires_grad());
  problem.x.requires_grad_();
  const torch::NoGradGuard off;
  EXPECT_FALSE(implicit(f, problem.solution(), rule()).requires_grad());
}

TEST(Implicit, EvaluatesTheMapOnceAndAgainOnlyForHigherOrders) {
  Affine problem;
  problem.x.requires_grad_();
  int calls = 0;
  const Map f = [&](const Tensor& y) {
    ++calls;
    return y.matmul(problem.a) + problem.x.sin();
  };
  const Tensor z = implicit(f, problem.solution(), rule());
  EXPECT_EQ(calls, 1);
  grad({z.sum()}, {problem.x}, {}, /*retain_graph=*/true);
  EXPECT_EQ(calls, 1);
  const auto first = grad({z.sum()}, {problem.x}, {}, true, true)[0];
  EXPECT_EQ(calls, 2);
  grad({first.sum()}, {problem.x});
  EXPECT_EQ(calls, 2);
}

TEST(Implicit, ReportsEachBackwardPass) {
  const Tensor x = normal({5, 1}).requires_grad_();
  const auto stats = std::make_shared<Stats>();
  const Tensor z =
      implicit(root_of([&](const Tensor& y) { return y.pow(3) + y - x; }), cubic_root(x), rule(), stats);
  EXPECT_TRUE(stats->status.empty());
  const auto first = grad({z.sum()}, {x}, {}, true, true)[0];
  EXPECT_EQ(stats->status.size(), 5u);
  EXPECT_TRUE(stats->converged());
  EXPECT_LT(stats->max_residual(), 1e-13);
  EXPECT_GT(stats->jacobian_products, 0);
  EXPECT_EQ(stats->method, "DenseLu");
  ASSERT_TRUE(stats->backward);
  EXPECT_TRUE(stats->backward->status.empty());
  grad({first.sum()}, {x});
  EXPECT_EQ(stats->backward->status.size(), 5u);
  EXPECT_LT(stats->backward->max_residual(), 1e-13);
}

// For samples of width 1, whose A is a number.
struct ByDivision {
  Solution<Tensor> solve(const LinearOperator& a, const Tensor& g, const Tensor&,
                         const ResolvedTolerance& tolerance) const {
    EXPECT_FALSE(a.identity_minus);
    EXPECT_EQ(tolerance.relative, 1e-10);
    EXPECT_EQ(tolerance.absolute, 0.0);
    Solution<Tensor> solution{g / a.mv(torch::ones_like(g)), {}};
    solution.stats.status.assign(5, Status::Converged);
    solution.stats.residual.assign(5, 0.0);
    return solution;
  }
};

TEST(Implicit, TakesAnyAdjointSolve) {
  const Tensor x = normal({5, 1}).requires_grad_();
  ImplicitRule own = rule();
  own.solver = ByDivision{};
  const Tensor root = cubic_root(x);
  const Tensor z = implicit(root_of([&](const Tensor& y) { return y.pow(3) + y - x; }), root, own);
  const auto first = grad({z.sum()}, {x}, {}, true, true)[0];
  EXPECT_TRUE(close(first, 1 / (3 * root.square() + 1), 1e-13));
  EXPECT_TRUE(close(grad({first.sum()}, {x})[0], -6 * root / (3 * root.square() + 1).pow(3), 1e-13));
}

ImplicitRule::FirstOrder with_product(std::function<Map(const Tensor& z)> transposed_jacobian) {
  return [=](const LinearOperator& a, const Tensor& z, const Tensor& g, const ResolvedTolerance& tolerance) {
    const LinearOperator own{.product = transposed_jacobian(z), .identity_minus = true};
    Solution<Tensor> adjoint = DenseLu{}.solve(own, g, {}, tolerance);
    detail::confirm(a, g, tolerance, adjoint);
    return adjoint;
  };
}

TEST(Implicit, AProductByHandIsUsedAndChecked) {
  Affine problem;
  problem.x.requires_grad_();
  const Map f = [&](const Tensor& y) { return y.matmul(problem.a) + problem.x; };
  const Tensor g = normal({4, 3});
  int products = 0;
  ImplicitRule by_hand = rule();
  by_hand.first_order = with_product([&](const Tensor& at) -> Map {
    EXPECT_TRUE(identical(at, problem.solution()));
    return [&](const Tensor& u) {
      ++products;
      return u.matmul(problem.a.t());
    };
  });
  const Tensor expected = g.matmul(problem.inverse().t());
  EXPECT_TRUE(close(grad({implicit(f, problem.solution(), by_hand)}, {problem.x}, {g})[0], expected, 1e-13));
  EXPECT_GT(products, 0);

  by_hand.first_order =
      with_product([&](const Tensor&) -> Map { return [&](const Tensor& u) { return u * 0.3; }; });
  EXPECT_THROW(grad({implicit(f, problem.solution(), by_hand)}, {problem.x}, {g}), c10::Error);

  by_hand.on_failure = OnFailure::Warn;
  const auto stats = std::make_shared<Stats>();
  const WarningRecorder warnings;
  const Tensor wrong = grad({implicit(f, problem.solution(), by_hand, stats)}, {problem.x}, {g})[0];
  EXPECT_EQ(warnings.messages().size(), 1u);
  EXPECT_GT(stats->count(Status::Inaccurate), 0);
  const Tensor residual = wrong.matmul(problem.a.t()) + g - wrong;
  EXPECT_NEAR(stats->max_residual(), residual.norm(2, 1).max().item<double>(), 1e-12);
}

// The layer's nodes must not take over from the pass around them which gradients are wanted.
TEST(Implicit, GradientsInSelectedInputsAreTheSame) {
  Affine problem;
  problem.a.requires_grad_();
  problem.x.requires_grad_();
  const Tensor upstream = problem.x.sin();
  const Tensor z = implicit([&](const Tensor& y) { return torch::tanh(y.matmul(problem.a)) + upstream; },
                            zeros({4, 3}), rule());
  const Tensor g = normal({4, 3});
  for (const bool create_graph : {false, true}) {
    const auto both = grad({z}, {problem.a, problem.x}, {g}, true, create_graph);
    EXPECT_TRUE(identical(grad({z}, {problem.a}, {g}, true, create_graph)[0], both[0]));
    EXPECT_TRUE(identical(grad({z}, {problem.x}, {g}, true, create_graph)[0], both[1]));
    EXPECT_TRUE(close(grad({z}, {upstream}, {g}, true, create_graph)[0] * problem.x.cos(), both[1], 1e-14));
  }
}

TEST(Implicit, BackwardTwiceNeedsTheGraphRetained) {
  Affine problem;
  problem.x.requires_grad_();
  const Map f = [&](const Tensor& y) { return y.matmul(problem.a) + problem.x.sin(); };
  const Tensor z = implicit(f, problem.solution(), rule());
  const Tensor first = grad({z.sum()}, {problem.x}, {}, /*retain_graph=*/true)[0];
  EXPECT_TRUE(identical(grad({z.sum()}, {problem.x})[0], first));
  expect_error([&] { grad({z.sum()}, {problem.x}); }, "retain_graph");
}

TEST(Implicit, AMapThatCapturesSomethingElseLaterIsRefused) {
  const Tensor a = normal({4, 3}).requires_grad_(), b = normal({4, 3}).requires_grad_();
  bool first = true;
  const Map f = [&](const Tensor& y) { return std::exchange(first, false) ? 0.5 * y + a : 0.5 * y + a + b; };
  const Tensor z = implicit(f, zeros({4, 3}), rule());
  expect_error([&] { grad({z.sum()}, {a}, {}, true, true); }, "f");
}

TEST(Implicit, NoGradientArrivesWhereNoneIsSent) {
  const Tensor x = normal({4, 3}).requires_grad_();
  const Tensor z = implicit([&](const Tensor& y) { return 0.5 * y + x; }, zeros({4, 3}), rule());
  const auto unused = grad({x.sum() + 0 * x.sum()}, {z}, {}, true, false, /*allow_unused=*/true)[0];
  EXPECT_FALSE(unused.defined());
  EXPECT_TRUE(identical(grad({z}, {x}, {zeros({4, 3})})[0], zeros({4, 3})));
}

TEST(Implicit, ThreadsDoNotDisturbEachOther) {
  const Tensor x = normal({5, 1});
  const auto second_derivative = [&] {
    const Tensor leaf = x.clone().requires_grad_();
    const Tensor z =
        implicit(root_of([&](const Tensor& y) { return y.pow(3) + y - leaf; }), cubic_root(leaf), rule());
    return grad({grad({z.sum()}, {leaf}, {}, true, true)[0].sum()}, {leaf})[0];
  };
  const Tensor expected = second_derivative();
  std::vector<Tensor> results(4);
  std::vector<std::thread> threads;
  for (Tensor& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) result = second_derivative();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Tensor& result : results) EXPECT_TRUE(identical(result, expected));
}

}  // namespace
}  // namespace stillpoint::test
