#include "stillpoint/ode/odeint.h"

#include <string>
#include <vector>

#include "benchmarks.h"
#include "peak_bytes.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using torch::Tensor;

namespace {

/// An equation that is measured.
struct Equation {
  std::string name;
  sp::ode::VectorField f;
  Tensor y0;
  sp::ode::Times t;
  std::vector<Tensor> parameters = {};
  sp::OdeintOptions options = {};

  sp::ode::Solution<Tensor> solve() const { return sp::odeint(f, y0, t, options); }
};

Tensor mlp(const std::vector<Tensor>& weights, const Tensor& y) {
  Tensor h = y;
  for (std::size_t i = 0; i < weights.size(); i += 2) {
    h = torch::addmm(weights[i + 1], h, weights[i]);
    if (i + 2 < weights.size()) h = torch::tanh(h);
  }
  return h;
}

std::vector<Tensor> mlp_weights(const std::vector<std::int64_t>& widths, double scale) {
  std::vector<Tensor> weights;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    weights.push_back((scale * torch::randn({widths[i], widths[i + 1]})).requires_grad_());
    weights.push_back(torch::zeros({widths[i + 1]}).requires_grad_());
  }
  return weights;
}

/// The network of torchdiffeq's example, on the cubes of the state; ten outputs.
Equation spiral_net() {
  const auto weights = mlp_weights({2, 50, 2}, 0.1);
  return {.name = "spiral net 2-50-2, B 20",
          .f = [weights](const Tensor& y) { return mlp(weights, y * y * y); },
          .y0 = torch::randn({20, 2}),
          .t = torch::linspace(0, 0.225, 10, torch::kDouble),
          .parameters = weights};
}

Equation true_spiral() {
  const Tensor a = torch::tensor({{-0.1F, 2.0F}, {-2.0F, -0.1F}});
  return {.name = "true spiral, 200 outputs, B 1",
          .f = [a](const Tensor& y) { return torch::mm(y * y * y, a); },
          .y0 = torch::tensor({{2.0F, 0.0F}}),
          .t = torch::linspace(0, 25, 200, torch::kDouble)};
}

Equation wide_net() {
  const auto weights = mlp_weights({64, 128, 64}, 0.1);
  return {.name = "MLP 64-128-64, B 128",
          .f = [weights](const Tensor& y) { return torch::tanh(mlp(weights, y)); },
          .y0 = torch::randn({128, 64}),
          .t = {0, 2},
          .parameters = weights};
}

Equation lotka_volterra() {
  const Tensor p = torch::tensor({1.5, 1.0, 3.0, 1.0}, torch::kDouble).requires_grad_();
  return {.name = "Lotka-Volterra, double, B 1",
          .f =
              [p](const Tensor& y) {
                const Tensor prey = y.select(1, 0);
                const Tensor predators = y.select(1, 1);
                const Tensor met = prey * predators;
                return torch::stack({p[0] * prey - p[1] * met, p[3] * met - p[2] * predators}, 1);
              },
          .y0 = torch::ones({1, 2}, torch::kDouble),
          .t = {0, 10},
          .parameters = {p}};
}

/// A continuous normalizing flow: beside the point its log-density, by the exact trace of a net 2-64-64-2.
Equation flow() {
  const auto w = mlp_weights({2, 64, 64, 2}, 0.2);
  const auto f = [w](const Tensor& state) {
    const Tensor first = torch::tanh(torch::addmm(w[1], state.narrow(1, 0, 2), w[0]));
    const Tensor second = torch::tanh(torch::addmm(w[3], first, w[2]));
    const Tensor slope_1 = 1 - first * first;
    const Tensor slope_2 = 1 - second * second;
    Tensor trace = torch::zeros({state.size(0), 1});
    for (std::int64_t i = 0; i < 2; ++i) {
      const Tensor along = torch::mm(slope_1 * w[0][i], w[2]) * slope_2;
      trace = trace + torch::mv(along, w[4].select(1, i)).unsqueeze(1);
    }
    return torch::cat({torch::addmm(w[5], second, w[4]), -trace}, 1);
  };
  return {.name = "CNF 2-d 64-64, exact trace, B 512",
          .f = f,
          .y0 = torch::cat({torch::randn({512, 2}), torch::zeros({512, 1})}, 1),
          .t = {0, 1},
          .parameters = w};
}

Tensor van_der_pol_slope(const Tensor& y, const Tensor& mu) {
  const Tensor x = y.narrow(1, 0, 1);
  const Tensor v = y.narrow(1, 1, 1);
  return torch::cat({v, mu * (1 - x * x) * v - x}, 1);
}

Equation van_der_pol(sp::ode::Steps steps) {
  const Tensor mu = torch::linspace(0.5, 3, 256, torch::kDouble).unsqueeze(1);
  return {.name = std::string("Van der Pol, B 256, steps ") +
                  (steps == sp::ode::Steps::Joint ? "joint" : "per sample"),
          .f = [mu](const Tensor& y) { return van_der_pol_slope(y, mu); },
          .y0 = torch::tensor({{2.0, 0.0}}, torch::kDouble).expand({256, 2}).contiguous(),
          .t = {0, 10},
          .options = {.steps = steps}};
}

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
