// A root and its sensitivity: Kepler's equation E − e sin E = M for a batch of mean anomalies. How the
// eccentric anomaly E moves with e is compared with the formula dE/de = sin E / (1 − e cos E).

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <algorithm>
#include <iostream>

namespace sp = stillpoint;

int main() {
  const auto mean_anomaly = torch::linspace(0.2, 3.0, 8, torch::kDouble).unsqueeze(1);
  const auto eccentricity = torch::tensor(0.6, torch::kDouble).requires_grad_();
  const auto g = [&](const torch::Tensor& e) { return e - eccentricity * e.sin() - mean_anomaly; };

  auto [anomaly, stats] = sp::root(g, mean_anomaly);
  std::cout << stats.full() << '\n';

  double worst = 0;
  for (std::int64_t i = 0; i < anomaly.size(0); ++i) {
    const auto slope = torch::autograd::grad({anomaly[i][0]}, {eccentricity}, {}, /*retain_graph=*/true)[0];
    const auto formula = anomaly[i][0].sin() / (1 - eccentricity * anomaly[i][0].cos());
    std::cout << "M = " << mean_anomaly[i][0].item<double>() << "  E = " << anomaly[i][0].item<double>()
              << "  dE/de = " << slope.item<double>() << '\n';
    worst = std::max(worst, (slope - formula).abs().item<double>());
  }
  std::cout << "largest difference from the formula: " << worst << '\n';
  return stats.converged() && worst < 1e-9 ? 0 : 1;
}
