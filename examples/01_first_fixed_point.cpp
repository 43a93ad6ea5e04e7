// The first fixed point: z = a cos z, and how it moves with a.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

int main() {
  const auto a = torch::ones({1}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [&](const torch::Tensor& z) { return a * torch::cos(z); };

  // Nobody has to say that f reads a: it is found in what f computes.
  const auto [z, stats] = stillpoint::fixed_point(f, torch::zeros({1}, torch::kDouble));
  z.backward();

  std::printf("z*     = %.12f\n", z.item<double>());
  std::printf("dz*/da = %.12f\n", a.grad().item<double>());  // cos z / (1 + a sin z)
  std::printf("%s\n", stats.brief().c_str());
}
