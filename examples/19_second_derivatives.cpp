// The whole Hessian of where a pendulum is after two seconds, in its start, its speed and its length. Second
// derivatives need nothing but create_graph.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

int main() {
  const auto p = torch::tensor({0.5, 0.0, 1.0}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [length = p[2]](const torch::Tensor& y) {
    return torch::stack({y.select(1, 1), -9.81 / length * torch::sin(y.select(1, 0))}, 1);
  };
  const auto y = stillpoint::odeint(f, p.narrow(0, 0, 2).unsqueeze(0), {0, 2},
                                    {.tolerance = {.relative = 1e-10, .absolute = 1e-12}})
                     .value;
  const auto angle = y[0][1][0];
  std::printf("angle %.8f\n", angle.item<double>());

  const auto gradient = torch::autograd::grad({angle}, {p}, {}, true, /*create_graph=*/true)[0];
  for (int i = 0; i < 3; ++i) {
    const auto row = torch::autograd::grad({gradient[i]}, {p}, {}, true)[0];
    std::printf("gradient %10.6f  Hessian %10.6f %10.6f %10.6f\n", gradient[i].item<double>(),
                row[0].item<double>(), row[1].item<double>(), row[2].item<double>());
  }
}
