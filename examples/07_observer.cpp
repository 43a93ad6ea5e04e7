// Watching a solve: an observer sees every iterate, its residuals and the samples that are still running.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(0);
  const auto weight = torch::randn({20, 20}) * 0.15;
  const auto x = torch::randn({16, 20}) * torch::linspace(0.1, 2, 16).unsqueeze(1);
  const auto f = [&](const Tensor& z) { return torch::tanh(torch::mm(z, weight) + x); };

  std::int64_t seen = 0;
  std::printf("step   running samples   largest residual\n");
  const auto show = [&](const sp::Iterate& iterate) {
    ++seen;
    std::printf("%4ld   %15ld   %.1e\n", static_cast<long>(iterate.step),
                static_cast<long>(iterate.running.count()), std::ranges::max(iterate.residual));
  };
  const auto stats = sp::fixed_point(f, torch::zeros_like(x), {.observer = show}).stats;

  std::printf("%s\n", stats.brief().c_str());
  return stats.converged() && seen == std::ranges::max(stats.iterations) + 1 ? 0 : 1;
}
