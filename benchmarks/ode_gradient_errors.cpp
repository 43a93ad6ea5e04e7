// How far values of odeint and their gradients by each rule are from the true ones as the tolerance changes.
// The truth is the same solve at a relative tolerance of 1e-13.
//   build/benchmarks/stillpoint_ode_gradient_errors

#include <torch/torch.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using torch::Tensor;

namespace {

/// y' = f(t, y, p) from `start` to `end`; the first number of the end is looked at.
struct Problem {
  std::string name;
  std::function<Tensor(const Tensor& t, const Tensor& y, const Tensor& p)> f;
  std::vector<double> start;
  std::vector<double> p;
  double end;
  sp::ode::Method method;
};

struct Answer {
  double value;
  Tensor gradient;
};

Answer solve(const Problem& problem, const sp::ode::Method& method, double tolerance,
             const sp::ode::GradientRule& rule) {
  const Tensor p = torch::tensor(problem.p, torch::kDouble).requires_grad_();
  const auto f = [&](const Tensor& t, const Tensor& y) { return problem.f(t, y, p); };
  const Tensor y0 = torch::tensor(problem.start, torch::kDouble).unsqueeze(0);
  const Tensor y = sp::odeint(f, y0, {0, problem.end},
                              {.method = method,
                               .gradient = rule,
                               .tolerance = {.relative = tolerance, .absolute = 0.01 * tolerance}})
                       .value[0][1][0];
  return {y.item<double>(), torch::autograd::grad({y}, {p})[0]};
}

std::vector<Problem> problems() {
  const auto decay = [](const Tensor& /*t*/, const Tensor& y, const Tensor& p) { return -p[0] * y * y; };
  const auto swing = [](const Tensor& t, const Tensor& y, const Tensor& p) {
    return p[0] * y * torch::cos(p[1] * t);
  };
  const auto populations = [](const Tensor& /*t*/, const Tensor& y, const Tensor& p) {
    const Tensor prey = y.select(1, 0);
    const Tensor predators = y.select(1, 1);
    const Tensor met = prey * predators;
    return torch::stack({p[0] * prey - p[1] * met, p[3] * met - p[2] * predators}, 1);
  };
  const auto van_der_pol = [](const Tensor& /*t*/, const Tensor& y, const Tensor& p) {
    const Tensor x = y.select(1, 0);
    const Tensor v = y.select(1, 1);
    return torch::stack({v, p[0] * (1 - x * x) * v - x}, 1);
  };
  return {{"y' = -a y^2, Dopri5", decay, {0.8}, {1.3}, 1, sp::ode::Dopri5{}},
          {"y' = -a y^2, Tsit5", decay, {0.8}, {1.3}, 1, sp::ode::Tsit5{}},
          {"y' = a y cos(w t), Tsit5", swing, {1.3}, {1.5, 2}, 5, sp::ode::Tsit5{}},
          {"Lotka-Volterra, Tsit5", populations, {1, 1}, {1.5, 1, 3, 1}, 10, sp::ode::Tsit5{}},
          {"Van der Pol, mu 2, Tsit5", van_der_pol, {2, 0}, {2}, 5, sp::ode::Tsit5{}}};
}

}  // namespace

int main() {
  at::set_num_threads(1);
  const sp::ode::GradientRule rules[] = {sp::ode::Discrete{}, sp::ode::Interpolating{},
                                         sp::ode::Backsolve{.on_failure = sp::OnFailure::Ignore}};
  std::printf(
      "relative errors        tolerance      value   gradient:  Discrete  Interpolating  Backsolve\n");
  for (const auto& problem : problems()) {
    const Answer truth = solve(problem, sp::ode::Tsit5{}, 1e-13, rules[0]);
    for (const double tolerance : {1e-3, 1e-5, 1e-7, 1e-9}) {
      std::string gradients;
      double value = 0;
      for (const auto& rule : rules) {
        const Answer found = solve(problem, problem.method, tolerance, rule);
        const Tensor error = (found.gradient - truth.gradient).abs().max() / truth.gradient.abs().max();
        char text[32];
        std::snprintf(text, sizeof text, "%12.1e", error.item<double>());
        gradients += text;
        value = std::abs(found.value / truth.value - 1);
      }
      std::printf("%-26s %5.0e   %8.1e          %s\n", problem.name.c_str(), tolerance, value,
                  gradients.c_str());
    }
  }
}
