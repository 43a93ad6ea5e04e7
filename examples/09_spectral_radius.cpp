// How well posed is a layer? The spectral radius of its Jacobian at the solution tells how fast plain
// iteration converges, and the Jacobian's norm is what a loss can keep small. Both grow with the weight.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(0);
  const auto direction = torch::randn({50, 50}, torch::kDouble) / 7;
  const auto x = 0.1 * torch::randn({8, 50}, torch::kDouble);

  bool right = true;
  std::printf("weight   spectral radius   Jacobian norm   Picard's iterations\n");
  for (const double scale : {0.2, 0.5, 0.8, 0.9, 1.1}) {
    const auto f = [&](const Tensor& z) { return torch::tanh(torch::mm(z, scale * direction) + x); };
    const auto z = sp::fixed_point(f, torch::zeros_like(x), {.solver = sp::Newton{}}).value;
    const auto radius = std::ranges::max(sp::spectral_radius(f, z));
    const auto norm = sp::jacobian_norm(f, z, /*probes=*/20).mean().item<double>();
    const auto picard =
        sp::fixed_point(f, torch::zeros_like(x),
                        {.solver = sp::Picard{}, .max_iterations = 1000, .on_failure = sp::OnFailure::Ignore})
            .stats;
    std::printf("%6.2f   %15.3f   %13.3f   %19ld%s\n", scale, radius, norm,
                static_cast<long>(std::ranges::max(picard.iterations)),
                picard.converged() ? "" : ", not converged");
    right = right && picard.converged() == (radius < 1);
  }
  return right ? 0 : 1;
}
