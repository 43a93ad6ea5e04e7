// A step in a trust region: downhill, as far as the predictions may change. How much they change is measured
// by the Fisher matrix, of which only products are made: Hessian products of a KL divergence, through a fixed
// point. Conjugate gradients turn the gradient into the natural gradient. (Schulman et al. 2015.)

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

namespace sp = stillpoint;
using torch::Tensor;

constexpr int kUnits = 16;
constexpr double kLargest = 0.02;  // the divergence that a step may make, in nats

int main() {
  torch::manual_seed(1);
  const auto options = torch::dtype(torch::kDouble);
  // Points of the plane: inside or outside of a circle.
  const auto points = torch::randn({300, 2}, options);
  const auto outside = points.norm(2, 1).gt(1.2).to(torch::kLong);
  const auto inputs = torch::cat({points, torch::ones({300, 1}, options)}, 1);

  // A deep equilibrium, z = tanh(W z + U x), and a linear layer, whose weights are one vector.
  const auto log_probabilities = [&](const Tensor& weights) {
    const auto parts = weights[0].split_with_sizes({3 * kUnits, kUnits * kUnits, 2 * kUnits});
    const auto x = inputs.mm(parts[0].view({3, kUnits}));
    const auto w = 0.9 * parts[1].view({kUnits, kUnits}) / (1 + parts[1].norm());  // contracts
    const auto z =
        sp::fixed_point([=](const Tensor& state) { return torch::tanh(state.mm(w) + x); }, x.tanh()).value;
    return z.mm(parts[2].view({kUnits, 2})).log_softmax(1);
  };
  const auto loss = [&](const Tensor& weights) {
    return torch::nll_loss(log_probabilities(weights), outside);
  };

  auto weights = 0.2 * torch::randn({1, (3 + kUnits + 2) * kUnits}, options);
  for (int step = 1; step <= 20; ++step) {
    const auto here = log_probabilities(weights);
    const auto divergence = [&](const Tensor& other) {
      return (here.exp() * (here - log_probabilities(other))).sum(1).mean();
    };
    const auto curvature = sp::hessian_at(divergence, weights);  // recorded once
    const sp::LinearOperator fisher{.product = [&](const Tensor& v) { return curvature(v) + 1e-3 * v; },
                                    .structure = sp::Structure::PositiveDefinite};
    const auto [before, gradient] = sp::vjp(loss, weights, torch::ones({}, options));
    const auto [natural, report] = sp::linear_solve(
        fisher, gradient, {.solver = sp::Cg{.max_iterations = 10}, .on_failure = sp::OnFailure::Ignore});

    // Where ½ sᵀ F s is the largest divergence; then the true one decides.
    auto change = natural * std::sqrt(2 * kLargest / (natural * gradient).sum().item<double>());
    int halved = 0;
    while (divergence(weights - change).item<double>() > kLargest ||
           loss(weights - change).ge(before).item<bool>()) {
      if (++halved > 10) return 1;
      change = change / 2;
    }
    std::printf("step %2d   loss %.4f   divergence %.4f   length %.2f   residual %.0e of %.0e\n", step,
                before.item<double>(), divergence(weights - change).item<double>(),
                change.norm().item<double>(), report.residual[0], gradient.norm().item<double>());
    weights = weights - change;
  }
  const auto right = log_probabilities(weights).argmax(1).eq(outside).sum().item<std::int64_t>();
  std::printf("%d of 300 points are right\n", static_cast<int>(right));
  return right >= 290 ? 0 : 1;
}
