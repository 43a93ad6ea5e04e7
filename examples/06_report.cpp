// Reading the report. In a batch of four some samples do not converge: which ones, why, and what to try is in
// the report, and the other samples do not notice.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>
#include <limits>

namespace sp = stillpoint;

int main() {
  // z = cos(rate z) + shift: the first sample is easy, the second slow, the third repels, the fourth is NaN.
  const auto rate = torch::tensor({{0.5}, {1.3}, {2.0}, {0.5}}, torch::kDouble);
  const auto shift =
      torch::tensor({{0.0}, {0.0}, {0.0}, {std::numeric_limits<double>::quiet_NaN()}}, torch::kDouble);
  const auto f = [&](const torch::Tensor& z) { return torch::cos(rate * z) + shift; };
  const auto z0 = torch::zeros({4, 1}, torch::kDouble);

  // By default a failed solve warns. Here we read the status ourselves.
  const auto plain =
      sp::fixed_point(f, z0, {.solver = sp::Picard{}, .on_failure = sp::OnFailure::Ignore}).stats;
  std::printf("%s\n\n", plain.full().c_str());

  const auto escalating = sp::fixed_point(f, z0, {.solver = sp::Auto{}, .on_failure = sp::OnFailure::Ignore});
  const auto& stats = escalating.stats;
  std::printf("%s\n\nsample   status       iterations   residual    z\n", stats.brief().c_str());
  for (std::size_t i = 0; i < stats.status.size(); ++i) {
    std::printf("%6zu   %-10s   %10ld   %.1e   %f\n", i, sp::to_string(stats.status[i]),
                static_cast<long>(stats.iterations[i]), stats.residual[i],
                escalating.value[static_cast<std::int64_t>(i)].item<double>());
  }
  return stats.count(sp::Status::Converged) == 3 && stats.status[3] == sp::Status::NonFinite ? 0 : 1;
}
