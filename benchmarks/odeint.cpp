#include "stillpoint/ode/odeint.h"

#include <string>
#include <vector>

#include "benchmarks.h"
#include "equations.h"
#include "peak_bytes.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using torch::Tensor;

namespace {

/// A solve ÷ as many bare evaluations of f.
double forward_ratio(const Equation& equation) {
  const torch::NoGradGuard no_grad;
  const auto stats = equation.solve().stats;
  TORCH_CHECK(stats.finished(), equation.name, ": ", stats.full());
  const Tensor t = torch::zeros({}, equation.y0.options());
  return time_ratio([&] { equation.solve(); },
                    [&] {
                      for (std::int64_t i = 0; i < stats.evaluations; ++i) equation.f.slope(t, equation.y0);
                    });
}

/// A solve and its backward pass ÷ as many bare evaluations as the solve needs, and one recorded evaluation
/// with a vector-Jacobian product for each stage of each accepted step.
double gradient_ratio(const Equation& equation) {
  const auto stats = equation.solve().stats;
  const std::int64_t pulled = 6 * stats.accepted[0];
  const Tensor t = torch::zeros({}, equation.y0.options());
  const Tensor y = equation.y0.detach().clone().requires_grad_();
  std::vector<Tensor> inputs = equation.parameters;
  inputs.push_back(y);
  const Tensor v = torch::ones_like(y);
  Equation with_start = equation;
  with_start.y0 = y;
  return time_ratio(
      [&] { torch::autograd::grad({with_start.solve().value.sum()}, inputs, {}, false, false, true); },
      [&] {
        {
          const torch::NoGradGuard no_grad;
          for (std::int64_t i = 0; i < stats.evaluations; ++i) equation.f.slope(t, y);
        }
        for (std::int64_t i = 0; i < pulled; ++i)
          torch::autograd::grad({equation.f.slope(t, y)}, inputs, {v}, false, false, true);
      });
}

/// Evaluations of single samples, finished ones left out ÷ those of joint steps.
double left_out_ratio() {
  using State = std::vector<Tensor>;
  const Tensor mu = torch::linspace(0.5, 20, 256, torch::kDouble).unsqueeze(1);
  const Tensor y0 = torch::tensor({{2.0, 0.0}}, torch::kDouble).expand({256, 2}).contiguous();
  const sp::ode::VectorField f{[](const Tensor& /*t*/, const Tensor& y, const State& inputs) {
                                 return van_der_pol_slope(y, inputs[0]);
                               },
                               {mu}};
  const auto joint = sp::odeint(f, y0, {0, 10}).stats;
  const auto own = sp::odeint(f, y0, {0, 10}, {.steps = sp::ode::Steps::PerSample}).stats;
  TORCH_CHECK(joint.finished() && own.finished(), joint.full(), own.full());
  return static_cast<double>(own.sample_evaluations) / static_cast<double>(joint.sample_evaluations);
}

/// Evaluations of f in the backward pass of Backsolve ÷ those of the solve, with so many outputs.
double backsolve_ratio(Equation equation, std::int64_t outputs) {
  std::int64_t calls = 0;
  const auto f = equation.f.slope;
  equation.f = sp::ode::VectorField([&calls, f](const Tensor& y) {
    ++calls;
    return f({}, y);
  });
  const Tensor& t = equation.t.values;
  equation.t = torch::linspace(t[0].item<double>(), t[-1].item<double>(), outputs, torch::kDouble);
  equation.options = {.gradient = sp::ode::Backsolve{.on_failure = sp::OnFailure::Ignore},
                      .stop_at_outputs = true};
  const auto [y, stats] = equation.solve();
  calls = 0;
  torch::autograd::grad({y.square().sum()}, equation.parameters);
  return static_cast<double>(calls) / static_cast<double>(stats.evaluations);
}

/// Peak bytes of tensors in a training step of so many steps.
std::int64_t peak_of_step(const sp::ode::GradientRule& rule, const sp::ode::Method& method,
                          std::int64_t steps) {
  Equation equation = wide_net();
  equation.options = {
      .method = method, .control = sp::ode::ConstantStep{2.0 / static_cast<double>(steps)}, .gradient = rule};
  return peak_bytes([&] {
    equation.solve().value.sum().backward();
    for (const Tensor& weight : equation.parameters) weight.mutable_grad().reset();
  });
}

/// Bytes that 1,024 steps need beyond 128 ÷ the bytes of as many states.
double memory_growth(const sp::ode::GradientRule& rule, const sp::ode::Method& method = sp::ode::Rk4{}) {
  const std::int64_t few = peak_of_step(rule, method, 128);
  const std::int64_t many = peak_of_step(rule, method, 1024);
  return static_cast<double>(many - few) / static_cast<double>((1024 - 128) * 128 * 64 * 4);
}

}  // namespace

void odeint(Table& table) {
  table.heading("odeint, Tsit5 / as many bare evaluations of f");
  table.row(spiral_net().name, forward_ratio(spiral_net()), 1.5);
  table.row(true_spiral().name, forward_ratio(true_spiral()), 2.0);
  table.row(wide_net().name, forward_ratio(wide_net()), 1.1);
  table.row(lotka_volterra().name, forward_ratio(lotka_volterra()), 1.8);
  table.row(flow().name, forward_ratio(flow()), 1.05);
  const Equation joint = van_der_pol(sp::ode::Steps::Joint);
  table.row(joint.name, forward_ratio(joint), 1.6);
  const Equation own = van_der_pol(sp::ode::Steps::PerSample);
  table.row(own.name, forward_ratio(own), 2.0);
  table.heading("The same with its backward pass / as many evaluations, and products for accepted stages");
  table.row(spiral_net().name, gradient_ratio(spiral_net()), 1.3);
  table.row(wide_net().name, gradient_ratio(wide_net()), 1.1);
  table.row(lotka_volterra().name, gradient_ratio(lotka_volterra()), 1.3);
  table.row(flow().name, gradient_ratio(flow()), 1.1);
  table.heading(
      "Peak memory of a training step: bytes that 1,024 steps need beyond 128 / those of 896 states");
  table.row("one state a step", memory_growth(sp::ode::Discrete{}), 1.05);
  table.row("16 checkpoints", memory_growth(sp::ode::Discrete{.checkpoints = 16}), 0.01);
  table.row("Reversible, reversible Heun", memory_growth(sp::ode::Reversible{}, sp::ode::ReversibleHeun{}),
            0.01);
  table.heading(
      "Backsolve: evaluations of f in the backward pass / in a solve whose steps end at the outputs");
  for (const std::int64_t outputs : {2, 10, 200}) {
    table.row("spiral net, " + std::to_string(outputs) + " outputs", backsolve_ratio(spiral_net(), outputs),
              1.5);
    table.row("Lotka-Volterra, " + std::to_string(outputs) + " outputs",
              backsolve_ratio(lotka_volterra(), outputs), 1.5);
  }
  table.heading("Evaluations of samples: per sample, finished ones left out / joint");
  table.row("Van der Pol, mu .5 to 20, B 256", left_out_ratio(), 0.35);
}
