// A monotone layer has exactly one equilibrium, whatever training does to its weights. Here they are made so
// large that plain iteration goes nowhere; the layer's own solver still finds the equilibrium.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <iostream>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(0);
  sp::nn::MonotoneLinear layer(10, 40);  // z* = relu(W z* + U x + c), 10 inputs, 40 units
  {
    const torch::NoGradGuard off;
    layer->a.mul_(4);  // as training might
    layer->b.mul_(4);
  }
  const auto x = torch::randn({16, 10});
  const auto z = layer->forward(x);
  std::cout << layer->stats().brief() << '\n';

  // The same map with plain iteration.
  const auto parts = layer->map_of(layer->input(x));
  const auto plain = sp::fixed_point(parts, torch::zeros_like(z),
                                     {.solver = sp::Picard{}, .on_failure = sp::OnFailure::Ignore});
  std::cout << plain.stats.brief() << '\n';
  return layer->stats().converged() && !plain.stats.converged() ? 0 : 1;
}
