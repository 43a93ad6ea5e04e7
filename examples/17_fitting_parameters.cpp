// Fits the four rates of the Lotka-Volterra equations to an observed trajectory.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

namespace {

// Prey grow and are eaten; predators grow by eating and starve.
torch::Tensor populations(const torch::Tensor& rates, const torch::Tensor& times) {
  const auto f = [rates](const torch::Tensor& y) {
    const auto prey = y.select(1, 0);
    const auto predators = y.select(1, 1);
    const auto met = prey * predators;
    return torch::stack({rates[0] * prey - rates[1] * met, rates[3] * met - rates[2] * predators}, 1);
  };
  return stillpoint::odeint(f, torch::ones({1, 2}, torch::kDouble), times,
                            {.tolerance = {.relative = 1e-4, .absolute = 1e-6}})
      .value;
}

}  // namespace

int main() {
  const auto times = torch::linspace(0, 5, 26, torch::kDouble);
  const auto truth = torch::tensor({1.5, 1.0, 3.0, 1.0}, torch::kDouble);
  const auto observed = populations(truth, times);

  const auto rates = torch::tensor({1.2, 0.8, 2.5, 0.8}, torch::kDouble).requires_grad_(true);
  torch::optim::Adam optimizer({rates}, 0.05);
  double loss = 0;
  for (int iteration = 0; iteration <= 200; ++iteration) {
    optimizer.zero_grad();
    const auto error = (populations(rates, times) - observed).square().mean();
    error.backward();
    optimizer.step();
    loss = error.item<double>();
    if (iteration % 50 == 0) std::printf("iteration %3d  loss %.2e\n", iteration, loss);
  }
  for (int i = 0; i < 4; ++i)
    std::printf("rate %d: %.3f, true %.3f\n", i, rates[i].item<double>(), truth[i].item<double>());
  return loss < 1e-3 ? 0 : 1;
}
