// A solution as a function of time: looked at anywhere after the solve, and differentiated in the time, too.
// Here that finds where a pendulum with friction swings farthest to the other side, by Newton's method.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

int main() {
  const auto friction = torch::tensor(0.2, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [&](const torch::Tensor& y) {
    const auto angle = y.select(1, 0), speed = y.select(1, 1);
    return torch::stack({speed, -torch::sin(angle) - friction * speed}, 1);
  };
  const auto start = torch::tensor({{1.5, 0.0}}, torch::kDouble);
  const auto solution = stillpoint::odeint(f, start, {0, 10}, {.save = stillpoint::ode::SaveDense{}});
  std::printf("%s\n", solution.stats.brief().c_str());

  const auto angle_at = [&](const torch::Tensor& t) { return solution.dense(t)[0][0][0]; };
  auto t = torch::tensor({3.0}, torch::kDouble);
  for (int i = 0; i < 5; ++i) {
    t = t.detach().requires_grad_();
    const auto slope = torch::autograd::grad({angle_at(t)}, {t}, {}, true, true)[0];
    const auto bend = torch::autograd::grad({slope.sum()}, {t})[0];
    t = (t - slope / bend).detach();
  }
  const auto angle = angle_at(t);
  angle.backward();
  std::printf("farthest at t = %.6f, angle %.6f\n", t.item<double>(), angle.item<double>());
  std::printf("d angle / d friction = %.6f\n", friction.grad().item<double>());

  const double speed = solution.dense(t)[0][0][1].item<double>();
  return std::abs(speed) < 1e-5 ? 0 : 1;
}
