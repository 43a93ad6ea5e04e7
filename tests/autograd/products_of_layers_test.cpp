// Products through each kind of implicit layer, held to differences of first derivatives.

#include <gtest/gtest.h>

#include "stillpoint/autograd/curvature.h"
#include "stillpoint/autograd/products.h"
#include "stillpoint/equations/fixed_point.h"
#include "stillpoint/ode/odeint.h"
#include "stillpoint/optim/minimize.h"
#include "stillpoint/optim/minimizers/newton.h"
#include "stillpoint/optim/quadratic_program.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

constexpr std::int64_t kWidth = 3;

// A layer [2, 3] → [2, 3] that reads a matrix as well. Products call its function again, so it captures by
// value.
struct NamedLayer {
  const char* name;
  Tensor (*apply)(const Tensor& x, const Tensor& w);
};

Tensor through_fixed_point(const Tensor& x, const Tensor& w) {
  return fixed_point([=](const Tensor& z) { return torch::tanh(z.mm(0.2 * w) + x); }, torch::zeros_like(x),
                     {.gradient = ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}},
                      .tolerance = {.relative = 1e-14, .absolute = 1e-14},
                      .on_failure = OnFailure::Throw})
      .value;
}

Tensor through_odeint(const Tensor& x, const Tensor& w) {
  return odeint([=](const Tensor& y) { return torch::tanh(y.mm(w)); }, x, {0.0, 0.5},
                {.tolerance = {.relative = 1e-12, .absolute = 1e-12}, .on_failure = OnFailure::Throw})
      .value.select(1, -1);
}

// An objective that is strictly convex, with derivatives of all orders.
Tensor through_minimize(const Tensor& x, const Tensor& w) {
  const auto f = [=](const Tensor& z) {
    return (z.cosh() + 0.1 * z.mm(w).pow(4) - x * z + z.square()).sum(1);
  };
  return minimize(f, torch::zeros_like(x),
                  {.solver = optim::Newton{},
                   .tolerance = {.relative = 1e-13, .absolute = 1e-13},
                   .gradient = ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}},
                   .on_failure = OnFailure::Throw})
      .value;
}

// min ½ z'(I + W'W)z − x'z with one row that holds with equality and one that is slack.
Tensor through_program(const Tensor& x, const Tensor& w) {
  const Tensor eye = torch::eye(kWidth, x.options());
  const Tensor rows = torch::cat({torch::ones({1, kWidth}, x.options()), eye.slice(0, 0, 1)});
  const Tensor sides = vector({-5, 100}, x.scalar_type());
  return quadratic_program({.Q = eye + w.t().mm(w), .p = -x, .G = rows, .h = sides}).x;
}

class ProductsOfLayers : public testing::TestWithParam<NamedLayer> {
 protected:
  Tensor x = normal({2, kWidth}), w = 0.5 * normal({kWidth, kWidth}), v = normal({2, kWidth}),
         vw = normal({kWidth, kWidth});

  Tensor layer(const Tensor& at, const Tensor& matrix) const { return GetParam().apply(at, matrix); }
  Tensor energy(const std::vector<Tensor>& in) const {
    const Tensor z = layer(in[0], in[1]);
    return (z.pow(3) + z.sin()).sum();
  }
  std::function<Tensor(const std::vector<Tensor>&)> total() const {
    return [this](const std::vector<Tensor>& in) { return energy(in); };
  }
  static Tensor difference(const std::function<Tensor(double)>& f) {
    constexpr double h = 1e-3;
    return ((8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)).detach();
  }
  std::vector<Tensor> gradient(double step) const {
    const std::vector<Tensor> in{(x + step * v).requires_grad_(), (w + step * vw).requires_grad_()};
    return torch::autograd::grad({energy(in)}, in);
  }
};

TEST_P(ProductsOfLayers, HessianProductsAreDifferencesOfGradients) {
  const auto product = hvp(total(), {x, w}, {v, vw}).product;
  const auto kept = hessian_at(total(), {x, w});
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(close(product[i], difference([&](double h) { return gradient(h)[i]; }), 1e-8)) << i;
    EXPECT_TRUE(close(kept({v, vw})[i], product[i], 1e-10)) << i;
    EXPECT_TRUE(close(kept.gradient()[i], gradient(0)[i], 1e-11)) << i;
  }
}

TEST_P(ProductsOfLayers, TangentsAreDifferencesAndTheAdjointIsTheirs) {
  const auto f = [&](const std::vector<Tensor>& in) { return layer(in[0], in[1]); };
  const auto tangent = jvp(f, {x, w}, {v, vw}).product;
  EXPECT_TRUE(close(tangent, difference([&](double h) { return f({x + h * v, w + h * vw}); }), 1e-8));
  const Tensor u = normal({2, kWidth});
  const auto pulled = vjp(f, {x, w}, u).product;
  EXPECT_TRUE(close((pulled[0] * v).sum() + (pulled[1] * vw).sum(), (u * tangent).sum(), 1e-10));
}

TEST_P(ProductsOfLayers, MatricesMakeTheSameProducts) {
  const auto f = [&](const Tensor& at) { return layer(at, w); };
  const auto loss = [](const Tensor& z) { return z.exp().sum(); };
  const Tensor J = jacobian(f, x).reshape({2 * kWidth, 2 * kWidth});
  const Tensor H = hessian(
                       [&](const Tensor& at) {
                         return energy({at, w});
                       },
                       x)
                       .reshape({2 * kWidth, 2 * kWidth});
  const Tensor flat = v.flatten();
  const auto like_x = [&](const Tensor& t) { return t.view({2, kWidth}); };
  EXPECT_TRUE(close(H, H.t(), 1e-9));
  const auto product = hvp([&](const Tensor& at) { return energy({at, w}); }, x, v).product;
  EXPECT_TRUE(close(like_x(H.mv(flat)), product, 1e-9));
  const Tensor bent = f(x).exp().flatten() * J.mv(flat);
  EXPECT_TRUE(close(gauss_newton_product(f, loss, x, v).product, like_x(J.t().mv(bent)), 1e-9));
  EXPECT_TRUE(close(gauss_newton_at(f, loss, x)(v), like_x(J.t().mv(bent)), 1e-9));
  EXPECT_TRUE(close(fisher_product(f, x, v).product, like_x(J.t().mv(J.mv(flat))), 1e-9));
  EXPECT_TRUE(close(fisher_at(f, x)(v), like_x(J.t().mv(J.mv(flat))), 1e-9));
}

TEST_P(ProductsOfLayers, ThirdDerivativesAreDifferencesOfHessianProducts) {
  const auto product_at = [&](const Tensor& at, bool create_graph) {
    return hvp([&](const Tensor& y) { return energy({y, w}); }, at, v, create_graph).product;
  };
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor third = torch::autograd::grad({(product_at(leaf, true) * v).sum()}, {leaf})[0];
  const auto along = difference([&](double h) { return (product_at(x + h * v, false) * v).sum(); });
  EXPECT_TRUE(close((third * v).sum(), along, 1e-7));
}

INSTANTIATE_TEST_SUITE_P(Each, ProductsOfLayers,
                         testing::Values(NamedLayer{"FixedPoint", through_fixed_point},
                                         NamedLayer{"Odeint", through_odeint},
                                         NamedLayer{"Minimize", through_minimize},
                                         NamedLayer{"QuadraticProgram", through_program}),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace stillpoint::test
