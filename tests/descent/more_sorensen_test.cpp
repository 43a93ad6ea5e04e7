#include "descent/more_sorensen.h"

#include <gtest/gtest.h>

#include <cmath>

#include "descent/steihaug.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

Tensor model_value(const Tensor& hessian, const Tensor& gradient, const Tensor& p) {
  return (gradient * p).sum(1) + .5 * (torch::matmul(hessian, p.unsqueeze(2)).squeeze(2) * p).sum(1);
}

Tensor lengths(const Tensor& p) { return p.square().sum(1, true).sqrt(); }

Tensor symmetric(std::int64_t batch, std::int64_t width) {
  const Tensor root = normal({batch, width, width});
  return root + root.transpose(1, 2);
}

// The least value on a fine grid of the disc, and on its border.
double least_on_disc(const Tensor& hessian, const Tensor& gradient, double radius) {
  double least = 0.0;
  constexpr int rings = 200, angles = 1000;
  const Tensor angle = torch::arange(angles, options()) * (2 * M_PI / angles);
  const Tensor circle = torch::stack({angle.cos(), angle.sin()}, 1);
  for (int i = 1; i <= rings; ++i) {
    const Tensor p = radius * i / rings * circle;
    least = std::min(least, model_value(hessian.expand({angles, 2, 2}), gradient, p).min().item<double>());
  }
  return least;
}

TEST(MoreSorensen, IsNoWorseThanAnyPointOfTheDisc) {
  torch::manual_seed(1);
  const Tensor hessian = symmetric(20, 2);
  const Tensor gradient = normal({20, 2});
  detail::MoreSorensen model(hessian, gradient);
  for (const double radius : {.01, .3, 1.0, 10.0}) {
    const Tensor p = model.step(torch::full({20, 1}, radius, options()));
    EXPECT_LE(lengths(p).max().item<double>(), radius * (1 + 1e-10));
    const Tensor value = model_value(hessian, gradient, p);
    for (std::int64_t b = 0; b < 20; ++b) {
      const double least = least_on_disc(hessian[b], gradient[b], radius);
      EXPECT_LE(value[b].item<double>(), least + 1e-12 * std::abs(least)) << b << " " << radius;
      EXPECT_GE(value[b].item<double>(), least - 1e-3 * std::abs(least)) << b << " " << radius;
    }
  }
}

// (H + λ) p = −g with λ ≥ 0, λ ≥ −λ₁ and λ (radius − ‖p‖) = 0 hold of the minimum, and of nothing else.
void expect_optimal(const Tensor& hessian, const Tensor& gradient, const Tensor& p, double radius) {
  const Tensor product = torch::matmul(hessian, p.unsqueeze(2)).squeeze(2);
  const Tensor multiplier = -((product + gradient) * p).sum(1, true) / p.square().sum(1, true);
  const Tensor least = std::get<0>(torch::linalg_eigh(hessian)).slice(1, 0, 1);
  EXPECT_TRUE(close(product + multiplier * p, -gradient, 1e-9));
  EXPECT_GE((multiplier + least).min().item<double>(), -1e-9);
  EXPECT_GE(multiplier.min().item<double>(), -1e-9);
  EXPECT_TRUE(close(multiplier * (radius - lengths(p)), torch::zeros_like(multiplier), 1e-8));
}

TEST(MoreSorensen, MeetsTheConditionsOfOptimality) {
  torch::manual_seed(2);
  for (const double shift : {0.0, 15.0}) {  // indefinite, and definite
    const Tensor hessian = symmetric(30, 12) + shift * torch::eye(12, options());
    const Tensor gradient = normal({30, 12});
    detail::MoreSorensen model(hessian, gradient);
    for (const double radius : {1e-3, .1, 2.0, 1e3}) {
      const Tensor p = model.step(torch::full({30, 1}, radius, options()));
      expect_optimal(hessian, gradient, p, radius);
    }
  }
}

// The gradient has no part, or hardly any, along the directions of least curvature, of which there are two.
TEST(MoreSorensen, SolvesTheHardCase) {
  torch::manual_seed(3);
  const Tensor frame = std::get<0>(torch::linalg_qr(normal({5, 5})));
  const Tensor curvature = vector({-2.0, -2.0, 0.5, 1.0, 3.0});
  const Tensor hessian = torch::matmul(frame * curvature, frame.t()).unsqueeze(0);
  for (const double part : {0.0, 1e-300, 1e-30, 1e-12, 1e-6}) {
    const Tensor gradient = torch::matmul(frame, vector({part, 0.0, 0.3, -0.2, 0.4})).unsqueeze(0);
    detail::MoreSorensen model(hessian, gradient);
    const Tensor p = model.step(torch::full({1, 1}, 5.0, options()));
    EXPECT_NEAR(lengths(p).item<double>(), 5.0, 1e-9) << part;
    expect_optimal(hessian, gradient, p, 5.0);
    // By hand: −c / (d + 2) beside the plane of least curvature, and the rest of the way in it.
    const double value = -.5 * (.09 / 2.5 + .04 / 3 + .16 / 5) - 25.0;
    EXPECT_NEAR(model_value(hessian, gradient, p).item<double>(), value,
                1e-4 * part + 1e-5 * (part > 1e-9) + 1e-9)
        << part;
  }
  // Exactly, along the axes, and with no gradient at all.
  const Tensor diagonal = torch::diag_embed(vector({-1.0, 2.0}).unsqueeze(0));
  for (const double slope : {0.0, 3.0}) {
    const Tensor gradient = vector({0.0, slope}).unsqueeze(0);
    detail::MoreSorensen model(diagonal, gradient);
    const Tensor p = model.step(torch::full({1, 1}, 2.0, options()));
    EXPECT_NEAR(p[0][1].item<double>(), -slope / 3, 1e-12);
    EXPECT_NEAR(std::abs(p[0][0].item<double>()), std::sqrt(4.0 - slope * slope / 9), 1e-12);
  }
}

TEST(Steihaug, FindsTheMinimumWithinAndGoesToTheBorderElse) {
  torch::manual_seed(4);
  const Tensor root = normal({10, 6, 6});
  const Tensor definite = torch::matmul(root, root.transpose(1, 2)) + torch::eye(6, options());
  const Tensor gradient = normal({10, 6});
  const Tensor none = torch::zeros({10, 1}, options());
  const auto product_with = [](const Tensor& h) {
    return [h](const Tensor& v) { return torch::matmul(h, v.unsqueeze(2)).squeeze(2); };
  };
  const auto inside =
      detail::steihaug(product_with(definite), gradient, torch::full({10, 1}, 1e6, options()), none, 50);
  EXPECT_TRUE(close(inside.product, -gradient, 1e-8));
  const Tensor small = torch::full({10, 1}, 1e-2, options());
  for (const Tensor& h : {definite, definite - 5 * torch::eye(6, options())}) {
    const auto [step, product] = detail::steihaug(product_with(h), gradient, small, none, 50);
    EXPECT_TRUE(close(product, product_with(h)(step), 1e-12));
    EXPECT_TRUE(close(lengths(step), small, 1e-9));
    // No worse than steepest descent to the border, and no better than the exact minimum.
    const Tensor down = -small * gradient / lengths(gradient);
    const Tensor best = detail::MoreSorensen(h, gradient).step(small);
    const Tensor value = model_value(h, gradient, step);
    EXPECT_TRUE((value <= model_value(h, gradient, down) + 1e-12).all().item<bool>());
    EXPECT_TRUE((value >= model_value(h, gradient, best) - 1e-12).all().item<bool>());
  }
}

}  // namespace
}  // namespace stillpoint::test
