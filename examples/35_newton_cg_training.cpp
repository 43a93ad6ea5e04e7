// Training by second order. A small net learns two spirals: by Newton-CG with the exact Hessian, by the
// natural gradient, and by LibTorch's Adam. The first two are LibTorch optimizers, but their closures return
// the loss and leave backward() to them.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdint>
#include <cstdio>

namespace sp = stillpoint;
using torch::Tensor;

torch::nn::Sequential make_net() {
  torch::manual_seed(1);
  return torch::nn::Sequential(torch::nn::Linear(2, 24), torch::nn::Tanh(), torch::nn::Linear(24, 24),
                               torch::nn::Tanh(), torch::nn::Linear(24, 2));
}

int main() {
  const auto t = torch::linspace(0.5, 6.0, 100);
  const auto arm = torch::stack({t * t.cos(), t * t.sin()}, 1) / 3;
  const auto points = torch::cat({arm, -arm});
  const auto labels = torch::cat({torch::zeros(100, torch::kLong), torch::ones(100, torch::kLong)});
  const auto loss_of = [&](const Tensor& logits) {
    return torch::nn::functional::cross_entropy(logits, labels);
  };

  auto by_newton = make_net();
  sp::nn::NewtonCg newton(by_newton->parameters(), sp::nn::NewtonCgOptions().damping(1e-2));
  auto by_nature = make_net();
  sp::nn::NaturalGradient natural(by_nature->parameters());
  auto by_adam = make_net();
  torch::optim::Adam adam(by_adam->parameters(), torch::optim::AdamOptions(1e-2));

  std::int64_t products = 0;
  for (int step = 1; step <= 60; ++step) {
    newton.step([&] { return loss_of(by_newton->forward(points)); });
    natural.step([&] { return by_nature->forward(points); }, loss_of);
    adam.step([&] {
      adam.zero_grad();
      auto loss = loss_of(by_adam->forward(points));
      loss.backward();
      return loss;
    });
    products += newton.last_step().products;
    if (step % 20 == 0) {
      std::printf("step %2d   Newton-CG %.1e   natural gradient %.1e   Adam %.1e\n", step,
                  newton.last_step().loss_after, natural.last_step().loss_after,
                  loss_of(by_adam->forward(points)).item<double>());
    }
  }
  const auto& last = newton.last_step();
  std::printf("Newton-CG took %lld products; the last step had length %.2f and damping %.1e\n",
              static_cast<long long>(products), last.length, last.damping);
  return last.loss_after < 0.1 && natural.last_step().loss_after < 0.1 ? 0 : 1;
}
