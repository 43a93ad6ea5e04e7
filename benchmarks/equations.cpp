#include "equations.h"

namespace sp = stillpoint;
using torch::Tensor;

namespace {

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

}  // namespace

Equation spiral_net() {
  const auto weights = mlp_weights({2, 50, 2}, 0.1);
  return {.name = "spiral net 2-50-2, B 20",
          .f = [weights](const Tensor& y) { return mlp(weights, y * y * y); },
          .y0 = torch::randn({20, 2}),
          .t = torch::linspace(0, 0.225, 10, torch::kDouble),
          .parameters = weights};
}

Equation true_spiral() {
  const Tensor a = torch::tensor({{-0.1F, 2.0F}, {-2.0F, -0.1F}}).requires_grad_();
  return {.name = "true spiral, 200 outputs, B 1",
          .f = [a](const Tensor& y) { return torch::mm(y * y * y, a); },
          .y0 = torch::tensor({{2.0F, 0.0F}}),
          .t = torch::linspace(0, 25, 200, torch::kDouble),
          .parameters = {a}};
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
  const Tensor mu = torch::linspace(0.5, 3, 256, torch::kDouble).unsqueeze(1).requires_grad_();
  return {.name = std::string("Van der Pol, B 256, steps ") +
                  (steps == sp::ode::Steps::Joint ? "joint" : "per sample"),
          .f = [mu](const Tensor& y) { return van_der_pol_slope(y, mu); },
          .y0 = torch::tensor({{2.0, 0.0}}, torch::kDouble).expand({256, 2}).contiguous(),
          .t = {0, 10},
          .parameters = {mu},
          .options = {.steps = steps}};
}
