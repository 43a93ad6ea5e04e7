// What a user of the package writes first: z = a cos z at a = 1, and dz/da. Exit status 1 if a number is off.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

int main() {
  const auto a = torch::ones({1}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [&](const torch::Tensor& z) { return a * torch::cos(z); };
  const auto [z, stats] = stillpoint::fixed_point(f, torch::zeros({1}, torch::kDouble));
  z.backward();

  const double value = z.item<double>();
  const double slope = a.grad().item<double>();
  std::printf("%.12f %.12f\n", value, slope);
  const double expected = 0.739085133215161;
  const double expected_slope = expected / (1 + std::sin(expected));
  return std::abs(value - expected) < 1e-9 && std::abs(slope - expected_slope) < 1e-8 ? 0 : 1;
}
