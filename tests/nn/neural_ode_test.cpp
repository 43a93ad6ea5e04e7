#include "stillpoint/nn/neural_ode.h"

#include <gtest/gtest.h>

#include "nn/module_check.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

/// W₂ tanh(W₁ y).
struct StillFieldImpl : torch::nn::Cloneable<StillFieldImpl> {
  StillFieldImpl() { reset(); }
  void reset() override {
    inner = register_module("inner", torch::nn::Linear(3, 8));
    outer = register_module("outer", torch::nn::Linear(8, 3));
  }
  Tensor forward(const Tensor& y) { return outer(torch::tanh(inner(y))); }
  torch::nn::Linear inner{nullptr}, outer{nullptr};
};
TORCH_MODULE(StillField);

/// The same, and it moves with the time.
struct MovingFieldImpl : torch::nn::Cloneable<MovingFieldImpl> {
  MovingFieldImpl() { reset(); }
  void reset() override { still = register_module("still", StillField()); }
  Tensor forward(const Tensor& t, const Tensor& y) { return still(y) * torch::cos(3 * t); }
  StillField still{nullptr};
};
TORCH_MODULE(MovingField);

template <class Field>
nn::NeuralOde in_double(const OdeintOptions& options = {}) {
  nn::NeuralOde layer(Field(), options);
  layer->to(device(), torch::kDouble);
  return layer;
}

template <class Field>
void check_as_module() {
  const Tensor x = normal({4, 3});
  check_module(
      [] { return in_double<Field>(); },
      [&](nn::NeuralOde layer) { return layer->forward(x.to(layer->parameters()[0].scalar_type())); });
}

TEST(NnNeuralOde, IsAModule) {
  check_as_module<StillField>();
  check_as_module<MovingField>();
}

TEST(NnNeuralOde, SolvesItsFieldAndReports) {
  const Tensor x = normal({4, 3});
  MovingField field;
  nn::NeuralOde layer(field, OdeintOptions{.tolerance = {.relative = 1e-8}});
  layer->to(device(), torch::kDouble);
  const auto direct = odeint([&](const Tensor& t, const Tensor& y) { return field->forward(t, y); }, x,
                             {0, .5, 1}, layer->options);
  EXPECT_TRUE(identical(layer->trajectory(x, {0, .5, 1}), direct.value));
  EXPECT_TRUE(close(layer->forward(x), direct.value.select(1, 2), 1e-12));
  EXPECT_TRUE(layer->stats().finished());
  EXPECT_EQ(layer->named_parameters().keys()[0], "field.still.inner.weight");
}

// x + field(x), three times with the same weights: values and gradients.
TEST(NnNeuralOde, IsAResidualNetworkUnderEuler) {
  const Tensor x = normal({4, 3}).requires_grad_(true);
  StillField field;
  nn::NeuralOde layer(field, OdeintOptions{.method = ode::Euler{}, .control = ode::ConstantStep{1}});
  layer->to(device(), torch::kDouble);
  const Tensor y = layer->trajectory(x, {0, 3}).select(1, 1);
  Tensor h = x;
  for (int block = 0; block < 3; ++block) h = h + field->forward(h);
  EXPECT_TRUE(close(y, h, 1e-14));
  std::vector<Tensor> inputs = field->parameters();
  inputs.push_back(x);
  const auto of_ode = torch::autograd::grad({y.square().sum()}, inputs);
  const auto of_blocks = torch::autograd::grad({h.square().sum()}, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) EXPECT_TRUE(close(of_ode[i], of_blocks[i], 1e-13)) << i;
}

// What the backward pass needs lives on when the layer is gone.
TEST(NnNeuralOde, MayGoBeforeItsGradientIsAskedFor) {
  const Tensor x = normal({4, 3}).requires_grad_(true);
  Tensor y;
  {
    auto layer = in_double<MovingField>();
    y = layer->forward(x);
  }
  y.sum().backward();
  EXPECT_GT(x.grad().abs().max().item<double>(), 0.0);
}

}  // namespace
}  // namespace stillpoint::test
