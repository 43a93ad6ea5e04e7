// A gradient penalty through a fixed point. A critic w · z* with z* = tanh(W z* + U x) learns to tell two
// clouds of points apart, while its slope in x is kept near 1. The slope is a derivative through the fixed
// point; its derivative in the weights is a second one.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <vector>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(1);
  const auto options = torch::dtype(torch::kDouble);
  const auto recurrent = (0.1 * torch::randn({16, 16}, options)).requires_grad_();
  const auto encoder = torch::randn({2, 16}, options).requires_grad_();
  const auto decoder = (0.3 * torch::randn({16}, options)).requires_grad_();
  const auto critic = [&](const Tensor& x) {
    // By value: the backward pass evaluates f again, when x is gone.
    const auto f = [=](const Tensor& z) { return torch::tanh(z.mm(recurrent) + x.mm(encoder)); };
    return sp::fixed_point(f, torch::zeros({x.size(0), 16}, options)).value.mv(decoder);
  };
  const auto slopes = [&](const Tensor& points) {
    const auto x = points.detach().requires_grad_();
    return torch::autograd::grad({critic(x).sum()}, {x}, {}, true, true)[0].norm(2, 1);
  };

  const auto here = 0.2 * torch::randn({64, 2}, options), there = here.roll(1, 0) + 1;
  const auto loss = [&] {
    const auto share = torch::rand({64, 1}, options);
    const auto between = torch::lerp(here, there, share);
    return critic(here).mean() - critic(there).mean() + 10 * (slopes(between) - 1).square().mean();
  };
  torch::optim::Adam adam(std::vector<Tensor>{recurrent, encoder, decoder}, 0.01);
  for (int step = 0; step <= 300; ++step) {
    const auto value = loss();
    adam.zero_grad();
    value.backward();
    adam.step();
    if (step % 100 == 0) {
      const auto distance = (critic(there).mean() - critic(here).mean()).item<double>();
      std::printf("step %3d   difference %.3f   mean slope %.3f\n", step, distance,
                  slopes((here + there) / 2).mean().item<double>());
    }
  }

  // The second derivative against differences of first ones, in one number of W.
  const auto penalty = [&] { return (slopes(here) - 1).square().mean(); };
  const auto exact = torch::autograd::grad({penalty()}, {recurrent})[0][3][5].item<double>();
  const auto moved = [&](double by) {
    const torch::NoGradGuard no_grad;
    recurrent[3][5] += by;
    const torch::AutoGradMode grad(true);
    return penalty().item<double>();
  };
  const double step = 1e-4;
  const double after = moved(step), before = moved(-2 * step);
  const double difference = (after - before) / (2 * step);
  std::printf("d penalty / d W = %.6f, by differences %.6f\n", exact, difference);
  return std::abs(exact - difference) < 1e-5 ? 0 : 1;
}
