// The peak memory of a training step through an ODE, for more and more steps, and three ways to keep it flat:
// checkpoints, steps that are taken back, and the adjoint equation.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

#include "peak_bytes.h"

namespace ode = stillpoint::ode;

int main() {
  torch::manual_seed(0);
  const auto weight = (torch::randn({64, 64}) * 0.1).requires_grad_();
  const auto y0 = torch::randn({32, 64});
  const auto f = [&](const torch::Tensor& y) { return torch::tanh(torch::mm(y, weight)); };

  const auto peak_of_step = [&](const ode::Method& method, const ode::GradientRule& gradient, int steps) {
    weight.mutable_grad().reset();
    return peak_bytes([&] {
      stillpoint::odeint(f, y0, {0, 1},
                         {.method = method, .control = ode::ConstantStep{1.0 / steps}, .gradient = gradient})
          .value.sum()
          .backward();
    });
  };
  struct Row {
    const char* name;
    ode::Method method;
    ode::GradientRule gradient;
    bool flat;
  };
  const Row rows[] = {{"Unrolled", ode::Rk4{}, ode::Unrolled{}, false},
                      {"Discrete, a state a step", ode::Rk4{}, ode::Discrete{}, false},
                      {"Discrete, 8 checkpoints", ode::Rk4{}, ode::Discrete{.checkpoints = 8}, true},
                      {"Reversible", ode::ReversibleHeun{}, ode::Reversible{}, true},
                      {"Backsolve", ode::Rk4{}, ode::Backsolve{}, true}};
  bool as_expected = true;
  std::printf("%-26s %12s %12s\n", "bytes of", "32 steps", "512 steps");
  for (const Row& row : rows) {
    const auto few = peak_of_step(row.method, row.gradient, 32);
    const auto many = peak_of_step(row.method, row.gradient, 512);
    std::printf("%-26s %12ld %12ld\n", row.name, static_cast<long>(few), static_cast<long>(many));
    as_expected = as_expected && (many < 2 * few) == row.flat;
  }
  return as_expected ? 0 : 1;
}
