// Leaving finished samples out. If a few samples are slow, pass what belongs to each sample beside the state:
// those that have converged are then no longer evaluated.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <iostream>
#include <vector>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(0);
  const auto x = torch::randn({16, 5});
  const auto rate = torch::linspace(0.1, 0.9, 16).unsqueeze(1);  // by which a sample contracts per step

  // `inputs` has the rows of the samples still running, as z has.
  const auto f = [](const Tensor& z, const std::vector<Tensor>& inputs) { return inputs[0] * z + inputs[1]; };
  const auto stats = sp::fixed_point({f, {rate, x}}, torch::zeros_like(x), {.solver = sp::Picard{}}).stats;

  std::cout << stats.brief() << '\n'
            << stats.sample_evaluations << " evaluations of single samples instead of "
            << 16 * stats.evaluations << '\n';
  return stats.converged() && stats.sample_evaluations < 8 * stats.evaluations ? 0 : 1;
}
