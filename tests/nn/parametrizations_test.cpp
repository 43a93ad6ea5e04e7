#include "stillpoint/nn/parametrizations.h"

#include <gtest/gtest.h>

#include <sstream>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"
#include "support/layer_check.h"

namespace stillpoint::test {
namespace {

using torch::nn::Conv2dOptions;
using torch::nn::LinearOptions;

Tensor singular_values(const Tensor& weight) { return torch::linalg_svdvals(weight.flatten(1)); }

nn::SpectralNormLinear spectral_layer(double coefficient = 1.0, std::int64_t iterations = 1) {
  nn::SpectralNormLinear layer(LinearOptions(5, 3), nn::SpectralNormOptions{.coefficient = coefficient,
                                                                            .power_iterations = iterations});
  layer->to(device(), torch::kDouble);
  return layer;
}

// What is asked of every layer: names, clone, saving, dtype; `x` is an input in double.
template <class Holder>
void expect_a_proper_module(Holder layer, Holder other, const Tensor& x) {
  layer->to(device(), torch::kDouble);
  other->to(device(), torch::kDouble);
  layer->eval();
  other->eval();
  const Tensor y = layer->forward(x);
  EXPECT_TRUE(identical(layer->forward_with(x, layer->weight()), y));
  EXPECT_GT(max_difference(other->forward(x), y), 1e-3);

  std::stringstream file;
  torch::save(layer, file);
  torch::load(other, file, device());
  EXPECT_TRUE(identical(other->forward(x), y));

  const auto clone = std::dynamic_pointer_cast<typename Holder::ContainedType>(layer->clone());
  ASSERT_TRUE(clone);
  EXPECT_TRUE(identical(clone->forward(x), y));
  EXPECT_EQ(clone->named_parameters().keys(), layer->named_parameters().keys());
  EXPECT_EQ(clone->named_buffers().keys(), layer->named_buffers().keys());
  {
    const torch::NoGradGuard off;
    for (Tensor& p : layer->parameters()) p.mul_(3.0).add_(0.1);
    for (Tensor& b : layer->buffers()) b.zero_();
  }
  EXPECT_TRUE(identical(clone->forward(x), y));
  EXPECT_TRUE(identical(other->forward(x), y));

  clone->to(torch::kFloat);
  EXPECT_EQ(clone->forward(x.to(torch::kFloat)).scalar_type(), torch::kFloat);
  EXPECT_TRUE(close(clone->forward(x.to(torch::kFloat)), y, 1e-5));
  clone->train();
  clone->forward(x.to(torch::kFloat)).sum().backward();
  for (const auto& p : clone->named_parameters()) EXPECT_TRUE(p.value().grad().defined()) << p.key();
}

TEST(Parametrizations, AreProperModules) {
  torch::manual_seed(1);
  const LinearOptions linear(5, 3);
  const Conv2dOptions conv = Conv2dOptions(4, 6, {3, 2}).stride(2).padding(1).groups(2);
  const Tensor row = normal({2, 5}), image = normal({2, 4, 7, 6});
  expect_a_proper_module(nn::WeightNormLinear(linear), nn::WeightNormLinear(linear), row);
  expect_a_proper_module(nn::WeightNormConv2d(conv), nn::WeightNormConv2d(conv), image);
  expect_a_proper_module(nn::SpectralNormLinear(linear), nn::SpectralNormLinear(linear), row);
  expect_a_proper_module(nn::SpectralNormConv2d(conv), nn::SpectralNormConv2d(conv), image);
}

TEST(Parametrizations, DoWhatTheLayersOfLibTorchDoWithTheirWeight) {
  torch::manual_seed(2);
  nn::WeightNormLinear linear(LinearOptions(5, 3).bias(false));
  EXPECT_FALSE(linear->bias.defined());
  EXPECT_EQ(linear->named_parameters().keys(), (std::vector<std::string>{"direction", "magnitude"}));
  const Tensor x = torch::randn({2, 5});
  EXPECT_TRUE(close(linear(x), x.matmul(linear->weight().t()), 1e-6));

  for (const Conv2dOptions& options : {Conv2dOptions(4, 6, 3).padding(torch::kSame),
                                       Conv2dOptions(4, 6, {3, 2}).stride({1, 2}).padding({2, 0}),
                                       Conv2dOptions(4, 6, 2).dilation(2).groups(2).bias(false)}) {
    nn::SpectralNormConv2d layer(options);
    layer->eval();
    torch::nn::Conv2d plain(options);
    const torch::NoGradGuard off;
    plain->weight.copy_(layer->weight());
    if (plain->bias.defined()) plain->bias.copy_(layer->bias);
    const Tensor image = torch::randn({2, 4, 7, 6});
    EXPECT_TRUE(close(layer(image), plain(image), 1e-6));
  }
}

TEST(WeightNorm, BeginsAtItsDirectionAndHasTheLengthsOfItsMagnitude) {
  torch::manual_seed(3);
  nn::WeightNormConv2d layer(Conv2dOptions(2, 4, 3));
  EXPECT_TRUE(close(layer->weight(), layer->direction, 1e-6));
  EXPECT_EQ(layer->magnitude.sizes(), at::IntArrayRef({4, 1, 1, 1}));
  const torch::NoGradGuard off;
  layer->magnitude.copy_(torch::rand({4, 1, 1, 1}) + 0.5);
  layer->direction.mul_(7.0);
  EXPECT_TRUE(close(layer->weight().flatten(1).norm(2, 1), layer->magnitude.flatten(), 1e-6));
}

TEST(WeightNorm, HasExactDerivativesInsideAFixedPoint) {
  torch::manual_seed(4);
  check_layer(
      [](const Solve& solve, const std::vector<Tensor>& in) {
        nn::WeightNormLinear layer(LinearOptions(3, 3));
        layer->direction = in[0];
        layer->magnitude = in[1];
        layer->bias = in[2];
        const Tensor w = layer->weight();
        return solve([=](const Tensor& z) { return torch::tanh(layer->forward_with(z, w) + in[3]); },
                     torch::zeros_like(in[3]));
      },
      {shared(normal({3, 3})), shared(normal({3, 1}) * 0.2), shared(normal({3})),
       per_sample(normal({2, 3}))});
}

TEST(SpectralNorm, HasTheDerivativesForItsVectorsInsideAFixedPoint) {
  torch::manual_seed(5);
  const Tensor left = normal({3}), right = normal({3});
  check_layer(
      [&](const Solve& solve, const std::vector<Tensor>& in) {
        nn::SpectralNormLinear layer(LinearOptions(3, 3), nn::SpectralNormOptions{.coefficient = 0.2});
        layer->eval();
        layer->raw_weight = in[0];
        layer->bias = in[1];
        layer->left = left.to(in[0].scalar_type());
        layer->right = right.to(in[0].scalar_type());
        const Tensor w = layer->weight();
        return solve([=](const Tensor& z) { return torch::tanh(layer->forward_with(z, w) + in[2]); },
                     torch::zeros_like(in[2]));
      },
      // Near a multiple of left rightᵀ, so that the norm for these vectors is not close to zero.
      {shared(left.outer(right) + 0.3 * normal({3, 3})), shared(normal({3})), per_sample(normal({2, 3}))});
}

TEST(SpectralNorm, ReachesItsCoefficient) {
  torch::manual_seed(6);
  for (const double coefficient : {1.0, 0.8}) {
    auto layer = spectral_layer(coefficient);
    for (int i = 0; i < 300; ++i) layer->weight();
    EXPECT_NEAR(singular_values(layer->weight())[0].item<double>(), coefficient, 1e-12);
    EXPECT_TRUE(close(layer->weight(),
                      layer->raw_weight * (coefficient / singular_values(layer->raw_weight)[0]), 1e-12));
  }
  // At once, to the error of 15 iterations.
  EXPECT_NEAR(singular_values(spectral_layer()->weight())[0].item<double>(), 1.0, 0.1);
}

TEST(SpectralNorm, HasTheGradientOfTheSingularValueOnceConverged) {
  torch::manual_seed(7);
  auto layer = spectral_layer(0.8);
  for (int i = 0; i < 300; ++i) layer->weight();
  const Tensor& v = layer->raw_weight;
  const auto gradient_of = [&](const Tensor& w) { return torch::autograd::grad({w.pow(3).sum()}, {v})[0]; };
  EXPECT_TRUE(close(gradient_of(layer->weight()), gradient_of(v * (0.8 / singular_values(v)[0])), 1e-10));
}

TEST(SpectralNorm, UpdatesOncePerWeightAndOnlyInTraining) {
  torch::manual_seed(8);
  auto layer = spectral_layer(0.8, 2);
  const Tensor matrix = layer->raw_weight.detach();
  const auto unit = [](const Tensor& y) { return y / y.norm(); };
  Tensor left = layer->left.clone(), right;
  for (int i = 0; i < 2; ++i) {
    right = unit(matrix.t().mv(left));
    left = unit(matrix.mv(right));
  }
  const Tensor x = normal({2, 5});
  layer(x);
  EXPECT_TRUE(close(layer->left, left, 1e-14));
  EXPECT_TRUE(close(layer->right, right, 1e-14));
  layer->eval();
  left = layer->left.clone();
  const Tensor y = layer(x);
  EXPECT_TRUE(identical(layer(x), y));
  EXPECT_TRUE(identical(layer->left, left));
  EXPECT_EQ(layer->named_buffers().keys(), (std::vector<std::string>{"left", "right"}));
}

TEST(SpectralNorm, IsConstantWithinASolveAndContracts) {
  torch::manual_seed(9);
  nn::SpectralNormLinear layer(LinearOptions(6, 6), nn::SpectralNormOptions{.coefficient = 0.7});
  layer->to(device(), torch::kDouble);
  const Tensor x = normal({3, 6}), w = layer->weight(), left = layer->left.clone();
  const auto [z, stats] = fixed_point(
      [=](const Tensor& y) { return torch::tanh(layer->forward_with(y, w) + x); }, torch::zeros_like(x));
  EXPECT_TRUE(stats.converged());
  EXPECT_TRUE(identical(layer->left, left));
  // The next weight leaves what was computed from this one as it is, also its second-order backward pass.
  layer->weight();
  EXPECT_GT(max_difference(layer->left, left), 0.0);
  const auto first = torch::autograd::grad({z.square().sum()}, {layer->raw_weight}, {}, true, true)[0];
  EXPECT_TRUE(torch::autograd::grad({first.sum()}, {layer->raw_weight})[0].isfinite().all().item<bool>());
  layer->eval();
  EXPECT_TRUE(layer->weight().requires_grad());
}

TEST(Parametrizations, NameThemselvesAndRefuseMisuse) {
  std::ostringstream out;
  out << nn::WeightNormLinear(LinearOptions(5, 3)) << nn::SpectralNormConv2d(Conv2dOptions(2, 4, 3));
  EXPECT_NE(out.str().find("WeightNormLinear(weight=[3, 5], bias=true)"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("SpectralNormConv2d(weight=[4, 2, 3, 3]"), std::string::npos) << out.str();
  expect_error([] { spectral_layer(0.0); }, "coefficient");
  expect_error([] { spectral_layer(1.0, 0); }, "power_iterations");
  expect_error([] { nn::WeightNormConv2d layer(Conv2dOptions(2, 4, 3).padding_mode(torch::kReflect)); },
               "padding");
  expect_error([] { nn::WeightNormConv2d layer(Conv2dOptions(3, 4, 3).groups(2)); }, "groups");
}

}  // namespace
}  // namespace stillpoint::test
