// The first differential equation: y' = a y cos t, and how its end moves with a, with y0 and with the final
// time.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

int main() {
  const auto number = [](double value) {
    return torch::full({1, 1}, value, torch::dtype(torch::kDouble).requires_grad(true));
  };
  const auto a = number(1.5);
  const auto y0 = number(1.0);
  const auto end = torch::tensor({2.0}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [&](const torch::Tensor& t, const torch::Tensor& y) { return a * y * torch::cos(t); };

  const auto times = torch::cat({torch::tensor({0.0}, torch::kDouble), end});
  const auto [y, stats] =
      stillpoint::odeint(f, y0, times, {.tolerance = {.relative = 1e-10, .absolute = 1e-12}});
  y.select(1, 1).sum().backward();

  std::printf("y(2)     = %.8f\n", y[0][1][0].item<double>());  // exp(a sin 2)
  std::printf("dy/da    = %.8f\n", a.grad().item<double>());    // y sin 2
  std::printf("dy/dy0   = %.8f\n", y0.grad().item<double>());   // y
  std::printf("dy/dt    = %.8f\n", end.grad().item<double>());  // f(2, y)
  std::printf("%s\n", stats.brief().c_str());
}
