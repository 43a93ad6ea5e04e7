#include "stillpoint/autograd/products.h"

#include <gtest/gtest.h>

#include "stillpoint/equations/fixed_point.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

using Function = std::function<Tensor(const Tensor&)>;

Tensor central_difference(const Function& f, const Tensor& x, const Tensor& v) {
  constexpr double h = 1e-3;
  const auto at = [&](double step) { return f(x + step * v).detach(); };
  return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
}

Tensor slope(const Function& f, const Tensor& at) {
  const Tensor x = at.detach().requires_grad_();
  return torch::autograd::grad({f(x)}, {x})[0];
}

FixedPointOptions tight() {
  return {.gradient = ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}},
          .tolerance = {.relative = 1e-14, .absolute = 1e-14},
          .on_failure = OnFailure::Throw};
}

// x ↦ the fixed point of z = tanh(z W + x)
Function tanh_fixed_point() {
  const Tensor w = normal({4, 4}) * 0.2;
  return [w](const Tensor& x) {
    return fixed_point([=](const Tensor& z) { return torch::tanh(z.matmul(w) + x); }, torch::zeros_like(x),
                       tight())
        .value;
  };
}

TEST(Hvp, OfTheSumOfSquares) {
  const auto [value, product] =
      hvp([](const Tensor& x) { return x.square().sum(); }, vector({1, 2}), vector({4, 5}));
  EXPECT_TRUE(identical(value, vector({5}).squeeze()));
  EXPECT_TRUE(identical(product, vector({8, 10})));
  EXPECT_FALSE(value.requires_grad());
  EXPECT_FALSE(product.requires_grad());
}

TEST(Hvp, EqualsADifferenceOfGradients) {
  const Function f = [](const Tensor& x) { return (x.sin() * x.flip(0)).pow(3).sum(); };
  const Tensor x = normal({3, 2}), v = normal({3, 2});
  const auto difference = central_difference([&](const Tensor& at) { return slope(f, at); }, x, v);
  EXPECT_TRUE(close(hvp(f, x, v).product, difference, 1e-9));
}

TEST(Hvp, GoesThroughAFixedPoint) {
  const auto layer = tanh_fixed_point();
  const Function f = [&](const Tensor& x) { return layer(x).pow(3).sum(); };
  const Tensor x = normal({3, 4}), v = normal({3, 4});
  const auto [value, product] = hvp(f, x, v);
  EXPECT_TRUE(close(value, f(x), 1e-13));
  EXPECT_TRUE(close(product, central_difference([&](const Tensor& at) { return slope(f, at); }, x, v), 1e-9));
}

TEST(Hvp, OfWhatIsLinearOrIgnoresXIsZero) {
  const Tensor x = normal({3}), v = normal({3});
  EXPECT_TRUE(identical(hvp([](const Tensor& y) { return y.sum(); }, x, v).product, torch::zeros_like(x)));
  EXPECT_TRUE(identical(hvp([](const Tensor&) { return zeros({}); }, x, v).product, torch::zeros_like(x)));
}

TEST(Hvp, CanBeDifferentiatedFurther) {
  const Tensor x = normal({5}).requires_grad_(), v = normal({5}).requires_grad_();
  const auto [value, product] = hvp([](const Tensor& y) { return y.pow(4).sum(); }, x, v, true);
  const auto gradients = torch::autograd::grad({product.sum() + value}, {x, v});
  EXPECT_TRUE(close(gradients[0], (24 * x * v + 4 * x.pow(3)).detach(), 1e-13));
  EXPECT_TRUE(close(gradients[1], 12 * x.detach().square(), 1e-13));
}

TEST(Jvp, OfAnyShapes) {
  const Tensor a = normal({4, 3});
  const Function f = [&](const Tensor& x) { return torch::sin(x).matmul(a).unsqueeze(0); };
  const Tensor x = normal({2, 4}), v = normal({2, 4});
  const auto [value, product] = jvp(f, x, v);
  EXPECT_TRUE(identical(value, f(x)));
  EXPECT_TRUE(close(product, (v * x.cos()).matmul(a).unsqueeze(0), 1e-14));
  EXPECT_FALSE(product.requires_grad());
}

TEST(Jvp, GoesThroughAFixedPoint) {
  const auto layer = tanh_fixed_point();
  const Tensor x = normal({3, 4}), v = normal({3, 4});
  const auto [value, product] = jvp(layer, x, v);
  EXPECT_TRUE(close(value, layer(x), 1e-13));
  EXPECT_TRUE(close(product, central_difference(layer, x, v), 1e-9));
}

TEST(Jvp, OfWhatIgnoresXIsZero) {
  const Tensor x = normal({3}), v = normal({3}), w = normal({2, 2}).requires_grad_();
  EXPECT_TRUE(identical(jvp(
                            [](const Tensor&) {
                              return torch::ones({2, 5}, options());
                            },
                            x, v)
                            .product,
                        zeros({2, 5})));
  EXPECT_TRUE(identical(jvp([&](const Tensor&) { return w.sin(); }, x, v).product, zeros({2, 2})));
}

TEST(Jvp, CanBeDifferentiatedFurther) {
  const Tensor w = normal({5}).requires_grad_(), x = normal({5}).requires_grad_(),
               v = normal({5}).requires_grad_();
  const auto [value, product] = jvp([&](const Tensor& y) { return w * y.pow(3); }, x, v, true);
  const auto gradients = torch::autograd::grad({product.sum()}, {w, x, v});
  EXPECT_TRUE(close(gradients[0], (3 * x.square() * v).detach(), 1e-13));
  EXPECT_TRUE(close(gradients[1], (6 * w * x * v).detach(), 1e-13));
  EXPECT_TRUE(close(gradients[2], (3 * w * x.square()).detach(), 1e-13));
}

TEST(Jvp, ThirdDerivativesThroughAFixedPoint) {
  const auto layer = tanh_fixed_point();
  const Tensor x = normal({2, 4}), v = normal({2, 4});
  const auto second = [&](const Tensor& at) {
    const Tensor leaf = at.detach().requires_grad_();
    return torch::autograd::grad({jvp(layer, leaf, v, true).product.pow(2).sum()}, {leaf})[0];
  };
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor gradient =
      torch::autograd::grad({jvp(layer, leaf, v, true).product.pow(2).sum()}, {leaf}, {}, true, true)[0];
  const Tensor product = torch::autograd::grad({(gradient * v).sum()}, {leaf})[0];
  EXPECT_TRUE(close((product * v).sum(), (central_difference(second, x, v) * v).sum(), 1e-9));
}

void expect_products_of_squares(const Tensor& x, const Tensor& v) {
  EXPECT_TRUE(identical(hvp([](const Tensor& y) { return y.square().sum(); }, x, v).product, 2 * v));
  EXPECT_TRUE(identical(jvp([](const Tensor& y) { return y.square(); }, x, v).product, 2 * x * v));
}

TEST(Products, WorkWithGradientsOffAndLeaveTheArgumentAlone) {
  const torch::NoGradGuard off;
  const Tensor x = vector({1, 2}), v = vector({4, 5});
  expect_products_of_squares(x, v);
  EXPECT_FALSE(x.requires_grad());
  EXPECT_FALSE(v.requires_grad());
}

TEST(Products, WorkInInferenceMode) {
  const c10::InferenceMode inference;
  expect_products_of_squares(vector({1, 2}), vector({4, 5}));
}

// y = Σ over a list, and what the parameters of a module make of it.
TEST(Products, TakeListsAndParameters) {
  const std::vector<Tensor> x{normal({3}), normal({2, 3})};
  const std::vector<Tensor> v{normal({3}), normal({2, 3})};
  const auto f = [](const std::vector<Tensor>& in) { return (in[1] * in[0].sin()).pow(2).sum(1); };
  const auto loss = [](const Tensor& y) { return y.exp().sum(); };
  const auto total = [&](const std::vector<Tensor>& in) { return loss(f(in)); };
  const Tensor u = normal({2});
  const auto along = [&](double h) { return f({x[0] + h * v[0], x[1] + h * v[1]}); };
  const double h = 1e-4;
  const auto pushed = jvp(f, x, v);
  EXPECT_TRUE(close(pushed.product, (along(h) - along(-h)) / (2 * h), 1e-6));
  const auto pulled = vjp(f, x, u);
  const Tensor dot = (pulled.product[0] * v[0]).sum() + (pulled.product[1] * v[1]).sum();
  EXPECT_TRUE(close(dot, (u * pushed.product).sum(), 1e-12));

  const std::vector<Tensor> leaves{x[0].clone().requires_grad_(), x[1].clone().requires_grad_()};
  const auto closed = [&] { return f(leaves); };
  const auto closed_total = [&] { return total(leaves); };
  EXPECT_TRUE(identical(jvp(closed, leaves, v).product, pushed.product));
  EXPECT_TRUE(identical(vjp(closed, leaves, u).product[1], pulled.product[1]));
  const auto J = jacobian(f, x);
  const auto H = hessian(total, x);
  const auto hv = hvp(total, x, v).product;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(identical(jacobian(closed, leaves)[i], J[i]));
    const Tensor row = H[i][0].reshape({x[i].numel(), -1}).mv(v[0].flatten()) +
                       H[i][1].reshape({x[i].numel(), -1}).mv(v[1].flatten());
    EXPECT_TRUE(close(row.view(x[i].sizes()), hv[i], 1e-12)) << i;
    EXPECT_TRUE(identical(hvp(closed_total, leaves, v).product[i], hv[i]));
    EXPECT_TRUE(identical(hessian(closed_total, leaves)[i][0], H[i][0]));
  }
  EXPECT_EQ(H[1][0].sizes(), at::IntArrayRef({2, 3, 3}));
  // Jᵀ H J v and Jᵀ J v, written out.
  const Tensor Jv = J[0].mv(v[0]) + J[1].reshape({2, -1}).mv(v[1].flatten());
  EXPECT_TRUE(close(Jv, pushed.product, 1e-12));
  const auto curved = gauss_newton_product(f, loss, x, v);
  const auto fisher = fisher_product(f, x, v);
  EXPECT_TRUE(close(curved.value, total(x), 1e-14));
  EXPECT_TRUE(close(curved.product[0], J[0].t().mv(f(x).exp() * Jv), 1e-12));
  EXPECT_TRUE(close(fisher.product[0], J[0].t().mv(Jv), 1e-12));
  EXPECT_TRUE(close(fisher.product[1], J[1].reshape({2, -1}).t().mv(Jv).view({2, 3}), 1e-12));
  EXPECT_TRUE(identical(gauss_newton_product(closed, loss, leaves, v).product[1], curved.product[1]));
  EXPECT_TRUE(identical(fisher_product(closed, leaves, v).product[1], fisher.product[1]));
}

// Cross entropy of logits: the Gauss–Newton matrix is the Fisher information, an expectation over labels.
TEST(Products, GaussNewtonIsTheFisherInformation) {
  const Tensor a = normal({4, 3}), x = normal({4}), v = normal({4});
  const Function logits = [&](const Tensor& y) { return y.tanh().matmul(a); };
  const Function loss = [](const Tensor& z) { return -torch::log_softmax(z, 0)[1]; };
  const Tensor log_p = torch::log_softmax(logits(x), 0);
  Tensor expected = torch::zeros_like(x);
  for (std::int64_t label = 0; label < 3; ++label) {
    const Function log_likelihood = [&](const Tensor& y) { return torch::log_softmax(logits(y), 0)[label]; };
    expected = expected + log_p[label].exp() * fisher_product(log_likelihood, x, v).product;
  }
  EXPECT_TRUE(close(gauss_newton_product(logits, loss, x, v).product, expected, 1e-12));
}

TEST(Products, MatricesGoThroughAFixedPointAndCanBeDifferentiated) {
  const auto layer = tanh_fixed_point();
  const Tensor x = normal({2, 4}), v = normal({2, 4});
  const Tensor J = jacobian(layer, x);
  EXPECT_EQ(J.sizes(), at::IntArrayRef({2, 4, 2, 4}));
  EXPECT_TRUE(close(J.reshape({8, 8}).mv(v.flatten()).view({2, 4}), jvp(layer, x, v).product, 1e-11));
  const Function energy = [&](const Tensor& y) { return layer(y).pow(3).sum(); };
  const Tensor H = hessian(energy, x).reshape({8, 8});
  EXPECT_TRUE(close(H, H.t(), 1e-10));
  EXPECT_TRUE(close(H.mv(v.flatten()).view({2, 4}), hvp(energy, x, v).product, 1e-10));

  const Tensor leaf = normal({3}).requires_grad_();
  const Function cubes = [](const Tensor& y) { return y.pow(3).sum(); };
  const Tensor third = torch::autograd::grad({hessian(cubes, leaf, true).sum()}, {leaf})[0];
  EXPECT_TRUE(close(third, 6 * torch::ones({3}, options()), 1e-12));
  const Function square = [](const Tensor& y) { return y.square(); };
  const auto product = gauss_newton_product(square, cubes, leaf, leaf.detach(), true).product;
  const Tensor x1 = leaf.detach();  // 2x · 6x² · 2x · v, of degree 4 beside v
  EXPECT_TRUE(close(torch::autograd::grad({product.sum()}, {leaf})[0], 96 * x1.pow(4), 1e-12));
  EXPECT_TRUE(identical(hessian([](const Tensor& y) { return y.sum(); }, x1), zeros({3, 3})));
}

TEST(Products, RefuseMisuse) {
  const Tensor x = vector({1, 2});
  const Function square = [](const Tensor& y) { return y.square(); };
  expect_error([&] { jvp(square, x, vector({1, 2, 3})); }, "v");
  expect_error([&] { jvp(square, x, x.to(at::kFloat)); }, "v");
  expect_error([&] { hvp(square, x, x); }, "[2]");
  expect_error([&] { hvp([](const Tensor& y) { return y.sum(); }, x, vector({1})); }, "v");
  expect_error([&] { jvp(square, torch::ones({2}, at::kLong), torch::ones({2}, at::kLong)); }, "x");
  expect_error([&] { vjp(square, x, vector({1})); }, "u");
  expect_error([&] { hessian(square, x); }, "[2]");
  const auto first = [](const std::vector<Tensor>& y) { return y[0].sum(); };
  expect_error([&] { hvp(first, {x, x}, {x}); }, "v: expected 2 tensors, got 1");
  expect_error([&] { hvp([&] { return x.sum(); }, {x}, {x}); }, "parameters: expected");
}

}  // namespace
}  // namespace stillpoint::test
