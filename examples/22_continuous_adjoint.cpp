// Gradients by the adjoint equation, and what their report says: where an equation contracts, the state
// cannot be found again backwards in time. Backsolve notices; Interpolating does not have to find it.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

namespace ode = stillpoint::ode;

int main() {
  const auto rate = torch::tensor(20.0, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [&](const torch::Tensor& t, const torch::Tensor& y) { return -rate * (y - torch::cos(t)); };
  const auto start = torch::full({1, 1}, 2.0, torch::kDouble);
  const auto solve = [&](const ode::GradientRule& rule) {
    rate.mutable_grad().reset();
    const auto [y, stats] = stillpoint::odeint(f, start, {0, 2}, {.gradient = rule});
    y.select(1, 1).sum().backward();
    std::printf("%s: d y(2) / d rate = %.3e\n  backward: %s\n", rule.name().c_str(),
                rate.grad().item<double>(),
                stats.backward ? stats.backward->full().c_str() : "the steps of the solve");
    return rate.grad().item<double>();
  };
  const double discrete = solve(ode::Discrete{});
  const double interpolating = solve(ode::Interpolating{});
  solve(ode::Backsolve{.on_failure = stillpoint::OnFailure::Ignore});
  return std::abs(interpolating - discrete) < 1e-4 * std::abs(discrete) ? 0 : 1;
}
