#include "stillpoint/nn/monotone.h"

#include <gtest/gtest.h>

#include <sstream>

#include "nn/module_check.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

const FixedPointOptions kForwardBackward{.solver = ForwardBackward{}, .max_iterations = 5000};
const FixedPointOptions kPeacemanRachford{.solver = PeacemanRachford{}, .max_iterations = 5000};

template <class Layer>
Layer in_double(Layer layer, double size = 1.0) {
  layer->to(device(), torch::kDouble);
  const torch::NoGradGuard off;
  layer->a.mul_(size);
  layer->b.mul_(size);
  return layer;
}

nn::MonotoneLinear linear(double m = 1.0, const FixedPointOptions& how = kPeacemanRachford,
                          double size = 1.0) {
  return in_double(nn::MonotoneLinear(3, 8, nn::MonotoneOptions{.monotonicity = m, .solve = how}), size);
}

nn::MonotoneConv2d convolution(double m = 1.0, const FixedPointOptions& how = kPeacemanRachford,
                               double size = 1.0) {
  return in_double(nn::MonotoneConv2d(2, 3, 3, nn::MonotoneOptions{.monotonicity = m, .solve = how}), size);
}

/// W written out, from its product.
Tensor dense_weight(const MonotoneMap& f, at::IntArrayRef shape) {
  const std::int64_t width = zeros(shape).numel();
  std::vector<std::int64_t> batch{width};
  batch.insert(batch.end(), shape.begin(), shape.end());
  const Tensor basis = torch::eye(width, options()).view(batch);
  return (f.affine(basis) - f.affine(torch::zeros_like(basis))).view({width, width}).t();
}

double smallest_eigenvalue(const Tensor& forward) {
  return torch::linalg_eigvalsh((forward + forward.t()) / 2, "L").min().item<double>();
}

TEST(NnMonotone, LinearWeightIsStronglyMonotone) {
  for (const double m : {0.1, 1.0}) {
    const auto layer = linear(m, kPeacemanRachford, 5.0);
    const Tensor forward = torch::eye(8, options()) - layer->weight();
    EXPECT_GE(smallest_eigenvalue(forward), m - 1e-9);
    EXPECT_TRUE(
        close(layer->map_of(zeros({8, 8})).affine(torch::eye(8, options())).t(), layer->weight(), 1e-12));
  }
}

// On images of even, odd and unlike sides, and as small as the kernel allows.
TEST(NnMonotone, ConvolutionIsStronglyMonotone) {
  const torch::NoGradGuard off;
  for (const auto& [height, width] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{6, 6}, {5, 7}, {2, 3}}) {
    const auto layer = convolution(0.3, kPeacemanRachford, 4.0);
    const Tensor w =
        dense_weight(layer->map_of(zeros({3 * height * width, 3, height, width})), {3, height, width});
    EXPECT_GE(smallest_eigenvalue(torch::eye(w.size(0), options()) - w), 0.3 - 1e-9)
        << height << " × " << width;
  }
}

// The composed kernel is (1 − m) I − AᵀA + B − Bᵀ.
TEST(NnMonotone, ConvolutionIsWhatItsFormulaSays) {
  const torch::NoGradGuard off;
  const auto layer = convolution(0.3);
  const Tensor z = normal({2, 3, 6, 7});
  namespace functional = torch::nn::functional;
  const auto padded = [](const Tensor& t) {
    return functional::pad(t, functional::PadFuncOptions({1, 1, 1, 1}).mode(torch::kCircular));
  };
  const auto times = [&](const Tensor& kernel, const Tensor& t) { return torch::conv2d(padded(t), kernel); };
  const auto transposed_times = [&](const Tensor& kernel, const Tensor& t) {
    return torch::conv2d(padded(t), kernel.flip({2, 3}).transpose(0, 1));
  };
  const Tensor expected = (1 - 0.3) * z - transposed_times(layer->a, times(layer->a, z)) +
                          times(layer->b, z) - transposed_times(layer->b, z);
  EXPECT_TRUE(close(layer->map_of(torch::zeros_like(z)).affine(z), expected, 1e-12));
  // Transposed means what it should.
  const Tensor other = normal({2, 3, 6, 7});
  EXPECT_NEAR((other * times(layer->a, z)).sum().item<double>(),
              (transposed_times(layer->a, other) * z).sum().item<double>(), 1e-10);
}

TEST(NnMonotone, ResolventsInvert) {
  const torch::NoGradGuard off;
  const double step = 0.7;
  const auto check = [&](const MonotoneMap& f, const Tensor& v) {
    const Tensor x = f.resolvent(step)(v);
    EXPECT_TRUE(close(x + step * (x - f.affine(x)), v, 1e-10));  // (I + α (I − W)) x − α b = v
  };
  check(linear(0.5, kPeacemanRachford, 3.0)->map_of(normal({4, 8})), normal({4, 8}));
  for (const auto& [height, width] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{6, 6}, {5, 7}, {2, 3}}) {
    check(convolution(0.5, kPeacemanRachford, 3.0)->map_of(normal({4, 3, height, width})),
          normal({4, 3, height, width}));
  }
}

TEST(NnMonotone, ScaleIsThatOfTheSingularValues) {
  const torch::NoGradGuard off;
  const auto geometric_mean = [](const Tensor& w) {
    return torch::linalg_svdvals(torch::eye(w.size(0), w.options()) - w).log().mean().exp().item<double>();
  };
  const auto flat = linear(0.5);
  EXPECT_NEAR(flat->map_of(zeros({1, 8})).scale(), geometric_mean(flat->weight()), 1e-10);
  for (const auto& [height, width] : std::vector<std::pair<std::int64_t, std::int64_t>>{{6, 6}, {5, 7}}) {
    const auto image = convolution(0.5)->map_of(zeros({3 * height * width, 3, height, width}));
    EXPECT_NEAR(image.scale(), geometric_mean(dense_weight(image, {3, height, width})), 1e-10);
  }
}

// The same weights with both splittings.
template <class Layer>
void expect_one_equilibrium(Layer layer, const Tensor& x) {
  const torch::NoGradGuard off;
  layer->options.solve = kPeacemanRachford;
  const Tensor z = layer->forward(x);
  EXPECT_TRUE(layer->stats().converged());
  EXPECT_GT(z.max().template item<double>(), 0.0);
  layer->options.solve = kForwardBackward;
  EXPECT_TRUE(close(layer->forward(x), z, 1e-7));
  EXPECT_TRUE(layer->stats().converged());
  EXPECT_TRUE(close(layer->forward(x, 5 * normal(z.sizes())), z, 1e-7));
}

TEST(NnMonotone, BothSplittingsFindTheOneEquilibrium) {
  for (const double size : {1.0, 4.0}) {
    expect_one_equilibrium(linear(1.0, {}, size), normal({5, 3}));
    expect_one_equilibrium(convolution(1.0, {}, size), normal({5, 2, 6, 6}));
  }
}

// Against central differences, in the parameters and in x, and the second derivative against those of the
// first.
template <class Layer>
void check_gradients(Layer layer, const Tensor& x_value) {
  const auto tight = [&](const FixedPointSolver& solver) {
    layer->options.solve = {.solver = solver,
                            .gradient = ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}},
                            .tolerance = {.relative = 1e-13, .absolute = 1e-13},
                            .max_iterations = 5000};
  };
  for (const FixedPointSolver& solver :
       {FixedPointSolver(ForwardBackward{}), FixedPointSolver(PeacemanRachford{})}) {
    tight(solver);
    const Tensor x = x_value.clone().requires_grad_();
    auto inputs = layer->parameters();
    inputs.push_back(x);
    const auto loss = [&] { return layer->forward(x).pow(3).sum(); };
    const auto gradient = torch::autograd::grad({loss()}, inputs, {}, true, true);
    Tensor product = zeros({});
    std::vector<Tensor> directions;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      directions.push_back(normal(inputs[i].sizes()));
      product = product + (gradient[i] * directions[i]).sum();
    }
    const auto second = torch::autograd::grad({product}, inputs, {}, true, false, true);
    const double h = 1e-5;
    const auto shift = [&](double by) {
      const torch::NoGradGuard off;
      for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i].add_(directions[i], by);
    };
    shift(h);
    const Tensor loss_above = loss();
    const auto above = torch::autograd::grad({loss_above}, inputs);
    shift(-2 * h);
    const Tensor loss_below = loss();
    const auto below = torch::autograd::grad({loss_below}, inputs);
    shift(h);
    EXPECT_NEAR(product.item<double>(), ((loss_above - loss_below) / (2 * h)).item<double>(),
                1e-7 * std::max(1.0, std::abs(product.item<double>())))
        << solver.name();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_TRUE(close(second[i], (above[i] - below[i]) / (2 * h), 1e-6))
          << solver.name() << ", input " << i;
    }
  }
}

TEST(NnMonotone, GradientsOfTheLinearLayer) { check_gradients(linear(1.0, {}, 2.0), normal({3, 3})); }
TEST(NnMonotone, GradientsOfTheConvolution) {
  check_gradients(convolution(1.0, {}, 2.0), normal({2, 2, 4, 5}));
}

TEST(NnMonotone, IsAModule) {
  const Tensor x = normal({5, 3}), images = normal({2, 2, 6, 6});
  check_module([] { return linear(); },
               [&](nn::MonotoneLinear layer) { return layer->forward(x.to(layer->a.scalar_type())); });
  check_module([] { return convolution(); },
               [&](nn::MonotoneConv2d layer) { return layer->forward(images.to(layer->a.scalar_type())); });
  EXPECT_EQ(linear()->named_parameters().keys(),
            (std::vector<std::string>{"a", "b", "input.weight", "input.bias"}));
}

TEST(NnMonotone, MayBeGoneWhenTheBackwardPassRuns) {
  const Tensor x = normal({3, 3}).requires_grad_();
  const Tensor z = linear()->forward(x);
  const Tensor first = torch::autograd::grad({z.square().sum()}, {x}, {}, true, true)[0];
  EXPECT_TRUE(torch::autograd::grad({first.sum()}, {x})[0].isfinite().all().item<bool>());
}

TEST(NnMonotone, TakesAnotherActivationAndNamesItself) {
  nn::MonotoneLinear layer(3, 8,
                           nn::MonotoneOptions{.activation = [](const Tensor& z) { return torch::tanh(z); },
                                               .solve = {.solver = Anderson{}}});
  layer->to(device(), torch::kDouble);
  const Tensor x = normal({4, 3}), z = layer->forward(x);
  EXPECT_TRUE(close(torch::tanh(z.mm(layer->weight().t()) + layer->input(x)), z, 1e-8));
  std::ostringstream out;
  out << layer;
  EXPECT_NE(out.str().find("MonotoneLinear"), std::string::npos) << out.str();
}

TEST(NnMonotone, TakesAnEmptyBatch) {
  nn::MonotoneLinear flat(4, 3);
  EXPECT_EQ(flat->forward(torch::randn({0, 4})).sizes(), at::IntArrayRef({0, 3}));
  nn::MonotoneConv2d image(2, 3);
  EXPECT_EQ(image->forward(torch::randn({0, 2, 5, 5})).sizes(), at::IntArrayRef({0, 3, 5, 5}));
}

TEST(NnMonotone, RefusesWhatItCannotUse) {
  expect_error([] { nn::MonotoneLinear(4, 3)->forward(torch::randn({4})); }, "x: expected [B, 4]");
  expect_error(
      [] {
        nn::MonotoneConv2d(2, 3)->forward(torch::randn({2, 5, 5}));
      },
      "x: expected [B, 2, H, W]");
  expect_error([] { nn::MonotoneLinear(3, 8, nn::MonotoneOptions{.monotonicity = 0.0}); }, "monotonicity");
  expect_error([] { nn::MonotoneConv2d(3, 8, 4); }, "kernel_size");
  expect_error(
      [] {
        nn::MonotoneConv2d(3, 8, 5)->forward(torch::zeros({1, 3, 3, 6}));
      },
      "x: expected images");
}

}  // namespace
}  // namespace stillpoint::test
