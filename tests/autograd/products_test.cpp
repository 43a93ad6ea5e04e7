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

TEST(Products, RefuseMisuse) {
  const Tensor x = vector({1, 2});
  const Function square = [](const Tensor& y) { return y.square(); };
  expect_error([&] { jvp(square, x, vector({1, 2, 3})); }, "v");
  expect_error([&] { jvp(square, x, x.to(at::kFloat)); }, "v");
  expect_error([&] { hvp(square, x, x); }, "[2]");
  expect_error([&] { hvp([](const Tensor& y) { return y.sum(); }, x, vector({1})); }, "v");
  expect_error([&] { jvp(square, torch::ones({2}, at::kLong), torch::ones({2}, at::kLong)); }, "x");
}

}  // namespace
}  // namespace stillpoint::test
