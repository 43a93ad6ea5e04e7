// The differentiable solve against LibTorch's dense one and its derivatives, to third order.
#include <gtest/gtest.h>

#include "linear/candidates.h"
#include "support/compare.h"
#include "support/layer_check.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

using Tensors = std::vector<Tensor>;
using Function = std::function<Tensor(const Tensors&)>;
using torch::autograd::grad;

constexpr std::int64_t kBatch = 3, kWidth = 4;

LinearSolveOptions tight(const LinearSolver& solver = AutomaticLinearSolver{}) {
  return {.solver = solver,
          .transposed_solver = solver,
          .tolerance = {.relative = 1e-13, .absolute = 0.0},
          .on_failure = OnFailure::Throw};
}

Tensor reference(const Tensor& matrix, const Tensor& b) {
  return torch::linalg_solve(matrix, b.flatten(1).unsqueeze(2)).reshape(b.sizes());
}

Tensor times(const Tensor& matrices, const Tensor& v) {
  return torch::matmul(matrices, v.unsqueeze(2)).squeeze(2);
}

void expect_same_derivatives(const Function& actual, const Function& expected, const Tensors& inputs,
                             int orders = 3) {
  const auto leaves = [&] {
    Tensors result;
    for (const Tensor& t : inputs) result.push_back(t.clone().requires_grad_());
    return result;
  };
  const auto ours = derivatives(actual, leaves(), orders), theirs = derivatives(expected, leaves(), orders);
  for (int order = 0; order <= orders; ++order) {
    for (std::size_t i = 0; i < theirs[order].size(); ++i) {
      EXPECT_TRUE(close(ours[order][i], theirs[order][i], 1e-10)) << "order " << order << ", input " << i;
    }
  }
}

// Matrices that are not symmetric and made from an upstream tensor: contractions for the Neumann series.
Tensor contraction_from(const Tensor& raw) { return 0.2 * torch::sin(raw); }

TEST(LinearSolve, OfAMatrixForEachSample) {
  const Tensor eye = 2.0 * torch::eye(kWidth, options());
  expect_same_derivatives(
      [&](const Tensors& in) { return linear_solve(eye + in[0], in[1].exp(), tight()).value; },
      [&](const Tensors& in) { return reference(eye + in[0], in[1].exp()); },
      {0.5 * normal({kBatch, kWidth, kWidth}), normal({kBatch, kWidth})});
}

TEST(LinearSolve, OfOneMatrixForAll) {
  const Tensor eye = 2.0 * torch::eye(kWidth, options());
  expect_same_derivatives([&](const Tensors& in) { return linear_solve(eye + in[0], in[1], tight()).value; },
                          [&](const Tensors& in) {
                            return reference((eye + in[0]).expand({kBatch, kWidth, kWidth}), in[1]);
                          },
                          {0.5 * normal({kWidth, kWidth}), normal({kBatch, kWidth})});
}

TEST(LinearSolve, OfOneMatrixForAsManySamplesAsItIsWide) {
  const Tensor matrix = 2.0 * torch::eye(kWidth, options()) + 0.5 * normal({kWidth, kWidth});
  expect_same_derivatives([](const Tensors& in) { return linear_solve(in[0], in[1], tight()).value; },
                          [](const Tensors& in) { return torch::linalg_solve(in[0], in[1].t()).t(); },
                          {matrix, normal({kWidth, kWidth})}, 2);
}

TEST(LinearSolve, OfAnOperatorWithEverySolver) {
  for (const LinearCandidate& candidate : general_linear_candidates()) {
    SCOPED_TRACE(candidate.name);
    const Function ours = [&](const Tensors& in) {
      const Tensor p = contraction_from(in[0]);
      LinearOperator a{.product = [=](const Tensor& v) { return v - times(p, v); }};
      return linear_solve(a, in[1], tight(candidate.solver)).value;
    };
    const Function theirs = [](const Tensors& in) {
      return reference(torch::eye(kWidth, options()) - contraction_from(in[0]), in[1]);
    };
    expect_same_derivatives(ours, theirs, {normal({kBatch, kWidth, kWidth}), normal({kBatch, kWidth})}, 2);
  }
}

TEST(LinearSolve, OfIdentityMinusAProductWithEverySolver) {
  for (const LinearCandidate& candidate : general_linear_candidates()) {
    SCOPED_TRACE(candidate.name);
    const Function ours = [&](const Tensors& in) {
      const Tensor p = contraction_from(in[0]);
      LinearOperator a{.product = [=](const Tensor& v) { return times(p, v); }, .identity_minus = true};
      return linear_solve(a, in[1], tight(candidate.solver)).value;
    };
    const Function theirs = [](const Tensors& in) {
      return reference(torch::eye(kWidth, options()) - contraction_from(in[0]), in[1]);
    };
    expect_same_derivatives(ours, theirs, {normal({kBatch, kWidth, kWidth}), normal({kBatch, kWidth})});
  }
}

TEST(LinearSolve, OfADefiniteOperatorByCg) {
  const Tensor eye = torch::eye(kWidth, options());
  const Function ours = [](const Tensors& in) {
    const Tensor root = in[0];
    LinearOperator a{
        .product = [=](const Tensor& v) { return times(root, times(root.transpose(1, 2), v)) + v; },
        .structure = Structure::PositiveDefinite};
    const auto [value, stats] = linear_solve(a, in[1], tight());
    EXPECT_EQ(stats.method, "Cg");
    return value;
  };
  const Function theirs = [&](const Tensors& in) {
    return reference(in[0].bmm(in[0].transpose(1, 2)) + eye, in[1]);
  };
  expect_same_derivatives(ours, theirs, {normal({kBatch, kWidth, kWidth}), normal({kBatch, kWidth})});
}

TEST(LinearSolve, OfImages) {
  const std::vector<std::int64_t> shape{2, 2, 2, 3};
  const auto conv = [](const Tensor& z, const Tensor& kernel) {
    return torch::conv2d(z, kernel, /*bias=*/{}, /*stride=*/1, /*padding=*/1);
  };
  const Function ours = [&](const Tensors& in) {
    const Tensor kernel = 0.1 * torch::tanh(in[0]);
    LinearOperator a{.product = [=](const Tensor& z) { return conv(z, kernel); }, .identity_minus = true};
    return linear_solve(a, in[1], tight()).value;
  };
  const Function theirs = [&](const Tensors& in) {
    const Tensor units = torch::eye(12, options()).reshape({12, 2, 2, 3});
    const Tensor columns = units - conv(units, 0.1 * torch::tanh(in[0]));
    return reference(columns.reshape({12, 12}).t().expand({2, 12, 12}), in[1]);
  };
  expect_same_derivatives(ours, theirs, {normal({2, 2, 3, 3}), normal(shape)}, 2);
}

TEST(LinearSolve, AsksForNoTransposedProducts) {
  const Tensor matrix =
      (2.0 * torch::eye(kWidth, options()) + 0.3 * normal({kWidth, kWidth})).requires_grad_();
  const Tensor b = normal({kBatch, kWidth}).requires_grad_();
  std::int64_t calls = 0;
  const LinearOperator a{.product = [&](const Tensor& v) {
    ++calls;
    return v.matmul(matrix);
  }};
  const auto [value, stats] = linear_solve(a, b);
  EXPECT_EQ(calls, stats.evaluations + 1) << "the solve, and one product recorded";
  calls = 0;
  const Tensor first = grad({value.pow(2).sum()}, {b}, {}, true)[0];
  EXPECT_EQ(calls, 0) << "the recorded product is replayed";
  EXPECT_EQ(stats.backward->jacobian_products, stats.backward->evaluations);
  EXPECT_GT(stats.backward->jacobian_products, 0);
  grad({value.pow(2).sum()}, {b}, {}, true, true);
  EXPECT_EQ(calls, 1) << "recorded again where the graph is to be differentiated";
}

TEST(LinearSolve, IsAConstantWhereNothingRequiresAGradient) {
  const Tensor matrix = 2.0 * torch::eye(kWidth, options()), b = normal({kBatch, kWidth});
  EXPECT_FALSE(linear_solve(matrix, b).value.requires_grad());
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(linear_solve(matrix, b.clone().requires_grad_()).value.requires_grad());
}

TEST(LinearSolve, DifferentiatesInWhateverRequiresIt) {
  const Tensor m = 2.0 * torch::eye(kWidth, options()) + 0.3 * normal({kWidth, kWidth});
  const Tensor b = normal({kBatch, kWidth}), g = normal({kBatch, kWidth});
  const Tensor expected_b = torch::linalg_solve(m.t(), g.t()).t();
  const Tensor x = torch::linalg_solve(m, b.t()).t();
  const Tensor with_b = b.clone().requires_grad_(), with_m = m.clone().requires_grad_();
  EXPECT_TRUE(close(grad({linear_solve(m, with_b).value}, {with_b}, {g})[0], expected_b, 1e-9));
  EXPECT_TRUE(
      close(grad({linear_solve(with_m, b).value}, {with_m}, {g})[0], -expected_b.t().matmul(x), 1e-9));
}

TEST(LinearSolve, TakesEmptyBatchesAndOtherLayouts) {
  const Tensor m = (2.0 * torch::eye(kWidth, options()) + 0.3 * normal({kWidth, kWidth})).requires_grad_();
  const Tensor none = zeros({0, kWidth}).requires_grad_();
  const auto [value, stats] = linear_solve(m, none);
  EXPECT_TRUE(stats.converged());
  const auto gradients = grad({value.sum()}, {none, m});
  EXPECT_EQ(gradients[0].sizes(), none.sizes());
  EXPECT_TRUE(identical(gradients[1], torch::zeros_like(m)));

  const Tensor b = normal({kWidth, kBatch}).t().requires_grad_();
  const Tensor g = normal({kWidth, kBatch}).t();
  const Tensor transposed = m.detach().t().contiguous().t().requires_grad_();
  EXPECT_TRUE(close(linear_solve(transposed, b).value, torch::linalg_solve(m, b.t()).t(), 1e-9));
  EXPECT_TRUE(close(grad({linear_solve(transposed, b).value}, {b}, {g})[0],
                    torch::linalg_solve(m.t(), g.t()).t(), 1e-9));
}

TEST(LinearSolve, WorksInFloat) {
  const Tensor m = 2.0 * torch::eye(kWidth, options()) + 0.3 * normal({kWidth, kWidth});
  const Tensor b = normal({kBatch, kWidth}), g = normal({kBatch, kWidth});
  const Tensor narrow = b.to(torch::kFloat).requires_grad_();
  const Tensor x = linear_solve(m.to(torch::kFloat), narrow).value;
  EXPECT_TRUE(close(x, torch::linalg_solve(m, b.t()).t(), 1e-4));
  EXPECT_TRUE(
      close(grad({x}, {narrow}, {g.to(torch::kFloat)})[0], torch::linalg_solve(m.t(), g.t()).t(), 1e-4));
}

TEST(LinearSolve, KeepsSamplesApartInTheBackwardPass) {
  const Tensor matrices = 2.0 * torch::eye(kWidth, options()) + 0.3 * normal({kBatch, kWidth, kWidth});
  const auto gradient = [&](const Tensor& g) {
    const Tensor b = torch::ones({kBatch, kWidth}, options()).requires_grad_();
    const auto [value, stats] = linear_solve(matrices, b, {.on_failure = OnFailure::Ignore});
    return std::make_pair(grad({value}, {b}, {g})[0], *stats.backward);
  };
  const Tensor g = normal({kBatch, kWidth});
  Tensor bad = g.clone();
  bad[1][2] = NAN;
  const auto [good_gradient, good_stats] = gradient(g);
  const auto [bad_gradient, bad_stats] = gradient(bad);
  EXPECT_EQ(bad_stats.status[1], Status::NonFinite);
  for (const std::int64_t i : {0, 2}) {
    EXPECT_TRUE(identical(bad_gradient[i], good_gradient[i]));
    EXPECT_EQ(bad_stats.status[i], Status::Converged);
  }
}

FixedPointOptions tight_layer() {
  return {.gradient = ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}},
          .tolerance = {.relative = 1e-14, .absolute = 1e-14},
          .on_failure = OnFailure::Throw};
}

Tensor by_loop(const Map& f, Tensor z) {
  for (int i = 0; i < 60; ++i) z = f(z);
  return z;
}

TEST(LinearSolve, InsideAFixedPoint) {
  const Tensor eye = 3.0 * torch::eye(kWidth, options());
  const auto layer = [&](const Tensors& in, bool ours) {
    const Tensor matrix = eye + in[0];
    const Map f = [=](const Tensor& z) {
      const Tensor right = z + in[1];
      return torch::tanh(ours ? linear_solve(matrix, right, tight()).value : reference(matrix, right));
    };
    const Tensor z0 = torch::zeros_like(in[1]);
    return ours ? fixed_point(f, z0, tight_layer()).value : by_loop(f, z0);
  };
  expect_same_derivatives([&](const Tensors& in) { return layer(in, true); },
                          [&](const Tensors& in) { return layer(in, false); },
                          {0.3 * normal({kBatch, kWidth, kWidth}), normal({kBatch, kWidth})}, 2);
}

TEST(LinearSolve, OfAProductThatSolvesForItsCoefficients) {
  const auto layer = [](const Tensors& in, bool ours) {
    const auto scale = [=] {
      const Map f = [=](const Tensor& z) { return torch::tanh(0.3 * z + in[0]); };
      return 2.0 + (ours ? fixed_point(f, torch::zeros_like(in[0]), tight_layer()).value
                         : by_loop(f, torch::zeros_like(in[0])));
    };
    if (!ours) return in[1] / scale();
    return linear_solve(LinearOperator{.product = [=](const Tensor& v) { return v * scale(); }}, in[1],
                        tight())
        .value;
  };
  expect_same_derivatives([&](const Tensors& in) { return layer(in, true); },
                          [&](const Tensors& in) { return layer(in, false); },
                          {normal({kBatch, kWidth}), normal({kBatch, kWidth})}, 2);
}

TEST(LinearSolve, UndoesALinearFixedPoint) {
  // v ↦ w with w = P w + v is the product with (I − P)⁻¹: solving with it is the product with I − P.
  const Function ours = [](const Tensors& in) {
    const Tensor p = contraction_from(in[0]);
    LinearOperator a{.product = [=](const Tensor& v) {
      return fixed_point([=](const Tensor& w) { return times(p, w) + v; }, torch::zeros_like(v),
                         tight_layer())
          .value;
    }};
    return linear_solve(a, in[1], tight(Gmres{})).value;
  };
  const Function theirs = [](const Tensors& in) { return in[1] - times(contraction_from(in[0]), in[1]); };
  expect_same_derivatives(ours, theirs, {normal({kBatch, kWidth, kWidth}), normal({kBatch, kWidth})}, 2);
}

}  // namespace
}  // namespace stillpoint::test
