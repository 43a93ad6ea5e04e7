// A curve fitted to data of which some are wrong. A robust loss keeps these from pulling the curve away, and
// the covariance says how well the rest determines its parameters. The fit is a layer: it also says how much
// each of the data moves the estimate.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

using torch::Tensor;

int main() {
  torch::manual_seed(2);
  const auto options = torch::dtype(torch::kDouble);
  const auto t = torch::linspace(0, 4, 40, options);
  const auto truth = torch::tensor({2.5, 1.3, 0.5}, options);
  const auto curve = [&](const Tensor& b) {
    return b.slice(1, 0, 1) * torch::exp(-b.slice(1, 1, 2) * t) + b.slice(1, 2, 3);
  };
  constexpr double noise = 0.02;
  auto y = curve(truth.unsqueeze(0))[0] + noise * torch::randn({40}, options);
  for (const int wrong : {5, 11, 20, 33}) y[wrong] += 1.0;
  y.requires_grad_();

  const auto residual = [&](const Tensor& b) { return curve(b) - y; };
  const auto start = torch::ones({1, 3}, options);
  const auto plain = stillpoint::least_squares(residual, start);
  const stillpoint::RobustLoss loss = stillpoint::optim::Cauchy{.scale = 2 * noise};
  const auto robust = stillpoint::least_squares(residual, start, {.loss = loss});
  if (!plain.stats.converged() || !robust.stats.converged()) return 1;
  const auto spread = stillpoint::covariance(residual, robust.value, {.loss = loss});

  std::printf("parameter   truth   squares   robust   deviation\n");
  bool within = true;
  for (int i = 0; i < 3; ++i) {
    const double value = robust.value[0][i].item<double>();
    const double deviation = spread.deviation[0][i].item<double>();
    const double right = truth[i].item<double>();
    std::printf("b%d          %.3f   %.3f     %.3f    %.3f\n", i + 1, right, plain.value[0][i].item<double>(),
                value, deviation);
    within = within && std::abs(value - right) < 3 * deviation;
  }
  const auto influence = [&](const Tensor& estimate) {
    return torch::autograd::grad({estimate[0][1]}, {y})[0][20].item<double>();
  };
  const double of_plain = influence(plain.value);
  const double of_robust = influence(robust.value);
  std::printf("d b2 / d y20, which is wrong: %.4f, robust %.4f\n", of_plain, of_robust);
  return within && std::abs(of_robust) < 0.1 * std::abs(of_plain) ? 0 : 1;
}
