// A layer whose equilibrium exists and is unique whatever training does to its weights, where plain iteration
// diverges; and what to look at in a solve: an observer, the Jacobian's spectral radius, samples left out.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <algorithm>
#include <iostream>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(0);
  sp::nn::MonotoneLinear layer(10, 40);
  {
    const torch::NoGradGuard off;
    layer->a.mul_(4);  // as training might
    layer->b.mul_(4);
  }
  const auto x = torch::randn({16, 10});
  const auto z = layer->forward(x);
  std::cout << layer->stats().brief() << '\n';
  bool good = layer->stats().converged();

  // The same map with plain iteration: its Jacobian is too large.
  const auto map = layer->map_of(layer->input(x));
  const sp::Map f = [&](const Tensor& state) { return map.activation(map.affine(state)); };
  const auto plain =
      sp::fixed_point(f, torch::zeros_like(z), {.solver = sp::Picard{}, .on_failure = sp::OnFailure::Ignore});
  const auto radius = std::ranges::max(sp::spectral_radius(f, z.detach()));
  std::cout << plain.stats.brief() << "\nlargest spectral radius at the equilibrium: " << radius << '\n';
  good = good && !plain.stats.converged() && radius > 1;

  // With what belongs to each sample passed beside the state, samples that have converged are left out.
  const auto rate = torch::linspace(0.1, 0.9, 16).unsqueeze(1);
  std::size_t steps = 0;
  const auto stats =
      sp::fixed_point([](const Tensor& state,
                         const std::vector<Tensor>& in) { return in[0] * state + in[1].mean(1, true); },
                      {rate, x}, torch::zeros({16, 5}),
                      {.solver = sp::Picard{}, .observer = [&](const sp::Iterate&) { ++steps; }})
          .stats;
  std::cout << stats.brief() << "\n"
            << steps << " iterates seen, " << stats.sample_evaluations
            << " evaluations of a sample instead of " << 16 * stats.evaluations << '\n';
  return good && stats.sample_evaluations < 16 * stats.evaluations ? 0 : 1;
}
