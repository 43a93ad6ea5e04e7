// A hand-made Jacobian product, for speed. The layer is f(z) = tanh(x + z W), so Jᵀu = (u (1 − z²)) Wᵀ at the
// solution, where f(z) = z. That is two tensor operations; the recorded product goes through a graph.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <chrono>
#include <cstdio>

namespace sp = stillpoint;
using torch::Tensor;

struct Layer {
  Tensor weight = (torch::randn({100, 100}) * 0.05).requires_grad_();
  Tensor x = torch::randn({100, 100});
};

/// The report of a forward and a backward pass that leaves its gradient in `layer.weight`.
sp::Stats pass(Layer& layer, const sp::ImplicitGradient& gradient) {
  layer.weight.mutable_grad().reset();
  const auto f = [&](const Tensor& z) { return torch::tanh(torch::addmm(layer.x, z, layer.weight)); };
  const auto [z, stats] =
      sp::fixed_point(f, torch::zeros_like(layer.x), {.gradient = gradient, .tolerance = {.relative = 1e-5}});
  z.square().sum().backward();
  return stats;
}

double seconds(Layer& layer, const sp::ImplicitGradient& gradient) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    pass(layer, gradient);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int main() {
  torch::manual_seed(0);
  Layer layer;
  int products = 0;

  const sp::ImplicitGradient recorded;
  const sp::ImplicitGradient by_hand{.transposed_jacobian = [&](const Tensor& z) -> sp::Map {
    const auto slope = 1 - z.square();
    const auto transposed = layer.weight.detach().t();
    return [&products, slope, transposed](const Tensor& u) {
      ++products;
      return torch::mm(u * slope, transposed);
    };
  }};

  const auto expected_stats = pass(layer, recorded);
  const auto expected = layer.weight.grad();
  const auto stats = pass(layer, by_hand);
  const int by_hand_products = products;
  const double difference = ((layer.weight.grad() - expected).norm() / expected.norm()).item<double>();

  std::printf("forward evaluations: %ld recorded, %ld by hand\n",
              static_cast<long>(expected_stats.evaluations), static_cast<long>(stats.evaluations));
  std::printf("backward products:   %ld recorded, %d by hand\n",
              static_cast<long>(expected_stats.backward->evaluations), by_hand_products);
  std::printf("relative difference of the gradients: %.1e\n", difference);
  std::printf("time by hand / recorded: %.2f\n", seconds(layer, by_hand) / seconds(layer, recorded));

  return difference < 1e-4 && by_hand_products > 0 && stats.evaluations == expected_stats.evaluations &&
                 stats.backward->evaluations == expected_stats.backward->evaluations + 1  // the check
             ? 0
             : 1;
}
