// A complete training loop: a small deep-equilibrium network learns y = sin 3x with Adam.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(0);
  const auto x = torch::linspace(-1, 1, 128).unsqueeze(1);
  const auto y = torch::sin(3 * x);

  // embed → z* = tanh(W z* + embedded) → read. W keeps a norm of 0.9, so there is exactly one z*.
  torch::nn::Linear embed(1, 32), read(32, 1);
  sp::nn::SpectralNormLinear cell(torch::nn::LinearOptions(32, 32),
                                  sp::nn::SpectralNormOptions{.coefficient = 0.9});
  const auto predict = [&](const Tensor& input) {
    const auto embedded = embed(input);
    const auto weight = cell->weight();  // once per solve
    const auto f = [&](const Tensor& z) { return torch::tanh(cell->forward_with(z, weight) + embedded); };
    return read(sp::fixed_point(f, torch::zeros_like(embedded)).value);
  };

  torch::optim::Adam optimizer(torch::nn::ModuleList(embed, cell, read)->parameters(), /*lr=*/0.01);
  double loss_value = 0;
  for (int step = 0; step <= 200; ++step) {
    optimizer.zero_grad();
    const auto loss = torch::mse_loss(predict(x), y);
    loss.backward();
    optimizer.step();
    loss_value = loss.item<double>();
    if (step % 40 == 0) {
      std::printf("step %3d   loss %.6f\n", step, loss_value);
    }
  }
  return loss_value < 1e-3 ? 0 : 1;
}
