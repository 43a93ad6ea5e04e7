// The cells of deep-equilibrium models, and the multiscale layer.
#include <gtest/gtest.h>

#include <sstream>

#include "nn/module_check.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/layer_check.h"

namespace stillpoint::test {
namespace {

/// In double, with a last norm of a smaller scale than at the beginning, so that the cell contracts and can
/// be unrolled; `deviation` is that of the kernels.
template <class Module>
Module contracting(Module module, double deviation) {
  module->to(device(), torch::kDouble);
  const torch::NoGradGuard off;
  for (auto& entry : module->named_modules("", false)) {
    const std::string& name = entry.key();
    if (auto conv = std::dynamic_pointer_cast<torch::nn::Conv2dImpl>(entry.value())) {
      conv->weight.normal_(0.0, deviation);
    }
    const bool last =
        name == "outer_norm" || name == "output_norm" ||
        (name.starts_with("ends.") && std::dynamic_pointer_cast<torch::nn::GroupNormImpl>(entry.value()));
    if (last) entry.value()->named_parameters()["weight"].mul_(0.3);
  }
  return module;
}

nn::ResidualConv residual_conv() {
  return contracting(nn::ResidualConv(nn::ResidualConvOptions{.channels = 4, .inner = 6, .groups = 2}), 0.02);
}

nn::Multiscale multiscale(const FixedPointOptions& solve = {}) {
  return contracting(
      nn::Multiscale(nn::MultiscaleOptions{.channels = {4, 6, 8}, .groups = 1, .solve = solve}), 0.02);
}

nn::TransformerBlock transformer_block() {
  return contracting(nn::TransformerBlock(nn::TransformerBlockOptions{.width = 4, .heads = 2, .inner = 6}),
                     0.0);
}

/// Makes a cell's parameters inputs of a layer under test; modules hold them by value.
template <class Cell>
Cell with_dtype(const Cell& cell, const Tensor& like) {
  using Impl = typename Cell::ContainedType;
  Cell copy(std::dynamic_pointer_cast<Impl>(cell->clone()));
  copy->to(like.scalar_type());
  return copy;
}

// In the injected input: values and derivatives of a plain loop, to second order, each sample alone as in the
// batch.
template <class Cell>
void check_cell(const Cell& cell, at::IntArrayRef shape) {
  check_layer(
      [&](const Solve& solve, const std::vector<Tensor>& in) {
        Cell own = with_dtype(cell, in[0]);
        const Tensor x = in[0];
        return solve([own, x](const Tensor& z) mutable { return own->forward(z, x); }, torch::zeros_like(x));
      },
      {per_sample(normal(shape))},
      {.variants = {implicit_variant("Anderson", Anderson{}), implicit_variant("Broyden", Broyden{})}});
}

// In the parameters: the gradient of the layer, solved to 1e-10, is that of the loop.
template <class Cell>
void check_parameters(Cell cell, at::IntArrayRef shape) {
  const Tensor x = normal(shape);
  nn::FixedPoint layer(torch::nn::AnyModule(cell), FixedPointOptions{.tolerance = {.relative = 1e-12}});
  const auto parameters = cell->parameters();
  Tensor z = torch::zeros_like(x);
  for (int i = 0; i < 120; ++i) z = cell->forward(z, x);
  const Tensor weights = normal(shape);
  const auto expected = torch::autograd::grad({(z * weights).sum()}, parameters, {}, true, true);
  const auto actual =
      torch::autograd::grad({(layer->forward(x) * weights).sum()}, parameters, {}, true, true);
  Tensor expected_norm = zeros({}), actual_norm = zeros({});
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_TRUE(close(actual[i], expected[i], 1e-9)) << i;
    expected_norm = expected_norm + expected[i].square().sum();
    actual_norm = actual_norm + actual[i].square().sum();
  }
  const auto expected_second = torch::autograd::grad({expected_norm}, parameters);
  const auto actual_second = torch::autograd::grad({actual_norm}, parameters);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_TRUE(close(actual_second[i], expected_second[i], 1e-8)) << i;
  }
}

TEST(ResidualConv, HasTheDerivativesOfTheLoop) { check_cell(residual_conv(), {2, 4, 3, 3}); }
TEST(ResidualConv, HasTheParameterGradientsOfTheLoop) { check_parameters(residual_conv(), {2, 4, 3, 4}); }

TEST(TransformerBlock, HasTheDerivativesOfTheLoop) { check_cell(transformer_block(), {2, 3, 4}); }
TEST(TransformerBlock, HasTheParameterGradientsOfTheLoop) {
  check_parameters(transformer_block(), {2, 3, 4});
}

TEST(TransformerBlock, IsCausal) {
  auto block = transformer_block();
  const Tensor z = normal({1, 5, 4}), x = normal({1, 5, 4});
  Tensor later = x.clone();
  later.narrow(1, 3, 2).add_(1.0);
  const Tensor out = block->forward(z, x), changed = block->forward(z, later);
  EXPECT_TRUE(close(changed.narrow(1, 0, 3), out.narrow(1, 0, 3), 1e-14));
  EXPECT_GT(max_difference(changed.narrow(1, 3, 2), out.narrow(1, 3, 2)), 1e-3);
  EXPECT_GT(max_difference(
                block->forward(z, torch::cat({x.narrow(1, 0, 1) + 1, x.narrow(1, 1, 4)}, 1)).select(1, 4),
                out.select(1, 4)),
            1e-6)
      << "the last position sees the first";
}

// With the initial weights, whatever the input: the injection keeps the block a contraction near its
// equilibrium.
TEST(TransformerBlock, HasAnEquilibriumAtTheBeginning) {
  nn::FixedPoint layer(torch::nn::AnyModule(
      nn::TransformerBlock(nn::TransformerBlockOptions{.width = 32, .heads = 4, .inner = 64})));
  const Tensor z = layer->forward(torch::randn({8, 16, 32}));
  EXPECT_TRUE(layer->stats().converged()) << layer->stats().full();
}

std::vector<Tensor> zeros_of(const std::vector<Tensor>& like) {
  std::vector<Tensor> all;
  for (const Tensor& t : like) all.push_back(torch::zeros_like(t));
  return all;
}

// To second order, in the parameters and in x. (Finite differences would straddle the kinks of its many
// ReLUs.)
TEST(Multiscale, HasTheDerivativesOfTheLoop) {
  const FixedPointOptions tight{
      .gradient = ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}},
      .tolerance = {.relative = 1e-13}};
  auto layer = multiscale(tight);
  const Tensor x = normal({2, 4, 6, 5}).requires_grad_();
  auto inputs = layer->parameters();
  inputs.push_back(x);
  const auto injected = layer->inject(x);
  auto z = zeros_of(injected);
  for (int i = 0; i < 100; ++i) z = layer->cell(z, injected);  // each step is 0.6 of the one before
  const auto derivatives_of = [&](const std::vector<Tensor>& state) {
    const Tensor loss = state[0].pow(3).sum() + state[1].sin().sum() + state[2].pow(2).sum();
    auto all = torch::autograd::grad({loss}, inputs, {}, true, true);
    Tensor squares = zeros({});
    for (const Tensor& g : all) squares = squares + g.square().sum();
    for (const Tensor& g : torch::autograd::grad({squares}, inputs)) all.push_back(g);
    return all;
  };
  const auto expected = derivatives_of(z), actual = derivatives_of(layer->forward(x));
  EXPECT_TRUE(layer->stats().converged());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(close(actual[i], expected[i], i < inputs.size() ? 1e-10 : 1e-8)) << i;
  }
}

TEST(Multiscale, EverySampleForItself) {
  auto layer = multiscale();
  const Tensor x = normal({3, 4, 6, 5});
  const auto together = layer->forward(x);
  const auto alone = layer->forward(x.narrow(0, 1, 1));
  for (std::size_t i = 0; i < alone.size(); ++i)
    EXPECT_TRUE(close(alone[i], together[i].narrow(0, 1, 1), 1e-8));
}

TEST(Multiscale, HalvesResolutionsRoundingUp) {
  auto layer = multiscale();
  const auto z = layer->forward(normal({3, 4, 7, 6}));
  ASSERT_EQ(z.size(), 3u);
  EXPECT_EQ(z[0].sizes(), at::IntArrayRef({3, 4, 7, 6}));
  EXPECT_EQ(z[1].sizes(), at::IntArrayRef({3, 6, 4, 3}));
  EXPECT_EQ(z[2].sizes(), at::IntArrayRef({3, 8, 2, 2}));
}

TEST(Multiscale, HasAnEquilibriumAtTheBeginning) {
  torch::manual_seed(1);
  nn::Multiscale layer(nn::MultiscaleOptions{.channels = {16, 32}, .groups = 8, .solve = {}});
  layer->forward(torch::randn({4, 16, 14, 14}));
  EXPECT_TRUE(layer->stats().converged()) << layer->stats().full();
}

// Every resolution depends on every other one.
TEST(Multiscale, FusesAllResolutions) {
  auto layer = multiscale();
  const Tensor x = normal({1, 4, 6, 6});
  const auto z = layer->forward(x);
  const auto injected = layer->inject(x);
  const auto before = layer->cell(z, injected);
  for (std::size_t from = 0; from < 3; ++from) {
    auto changed = z;
    changed[from] = z[from] + normal(z[from].sizes());
    const auto after = layer->cell(changed, injected);
    for (std::size_t to = 0; to < 3; ++to)
      EXPECT_GT(max_difference(after[to], before[to]), 1e-6) << from << to;
  }
}

TEST(Cells, AreModules) {
  const Tensor z = normal({2, 4, 3, 3}), x = normal({2, 4, 3, 3});
  check_module([] { return residual_conv(); },
               [&](nn::ResidualConv cell) {
                 const auto dtype = cell->parameters()[0].scalar_type();
                 return cell->forward(z.to(dtype), x.to(dtype));
               });
  const Tensor words = normal({2, 3, 4});
  check_module([] { return transformer_block(); },
               [&](nn::TransformerBlock block) {
                 const auto dtype = block->parameters()[0].scalar_type();
                 return block->forward(words.to(dtype), words.to(dtype));
               });
  const Tensor images = normal({2, 4, 6, 6});
  check_module([] { return multiscale(); },
               [&](nn::Multiscale layer) {
                 return layer->forward(images.to(layer->parameters()[0].scalar_type()))[1];
               });
}

TEST(Multiscale, MayBeGoneWhenTheBackwardPassRuns) {
  const Tensor x = normal({1, 4, 4, 4}).requires_grad_();
  const auto z = multiscale()->forward(x);
  const Tensor first = torch::autograd::grad({z[2].square().sum()}, {x}, {}, true, true)[0];
  EXPECT_TRUE(torch::autograd::grad({first.square().sum()}, {x})[0].isfinite().all().item<bool>());
}

TEST(Cells, RefuseWhatTheyCannotUse) {
  expect_error([] { nn::ResidualConv(nn::ResidualConvOptions{.channels = 6, .inner = 8, .groups = 4}); },
               "groups");
  expect_error([] { nn::Multiscale(nn::MultiscaleOptions{.channels = {}}); }, "channels");
  expect_error([] { nn::Multiscale(nn::MultiscaleOptions{.channels = {8, 12}, .groups = 8}); }, "groups");
  expect_error([] { nn::TransformerBlock(nn::TransformerBlockOptions{.width = 10, .heads = 4}); }, "heads");
}

TEST(Cells, NameThemselves) {
  std::ostringstream out;
  out << multiscale();
  EXPECT_NE(out.str().find("Multiscale(channels=[4, 6, 8]"), std::string::npos) << out.str();
}

}  // namespace
}  // namespace stillpoint::test
