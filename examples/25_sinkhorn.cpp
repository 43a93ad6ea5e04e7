// Two clouds of points, one of which is the other, turned, moved and shuffled. Optimal transport matches
// them, and the gradient of its cost, through the plan, turns the one back onto the other.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

using torch::Tensor;

Tensor turned(const Tensor& points, const Tensor& angle, const Tensor& shift) {
  const auto c = angle.cos();
  const auto s = angle.sin();
  return points.mm(torch::stack({c, s, -s, c}).view({2, 2})) + shift;
}

int main() {
  torch::manual_seed(0);
  const auto options = torch::dtype(torch::kDouble);
  constexpr std::int64_t count = 12;
  const auto one = torch::randn({count, 2}, options) * torch::tensor({1.0, 0.4}, options);
  const auto order = torch::randperm(count);
  const auto shift = torch::tensor({0.5, -0.3}, options);
  const auto other = turned(one, torch::tensor(0.8, options), shift).index_select(0, order);

  const auto angle = torch::zeros({}, options.requires_grad(true));
  const auto moved = torch::zeros({2}, options.requires_grad(true));
  const auto weights = torch::full({count}, 1.0 / count, options);
  torch::optim::Adam optimizer(std::vector<Tensor>{angle, moved}, 0.05);
  Tensor plan;
  for (int step = 0; step <= 100; ++step) {
    optimizer.zero_grad();
    // What it costs to move a point of the one cloud to a point of the other; one sample of 12 x 12 numbers.
    const auto cost = torch::cdist(turned(one, angle, moved), other).square().unsqueeze(0);
    const auto transport = stillpoint::optim::sinkhorn(cost, weights, weights, 0.1);
    plan = transport.plan[0];
    const auto loss = (transport.plan * cost).sum();
    loss.backward();
    optimizer.step();
    if (step % 20 == 0) {
      std::printf("step %3d   cost %.5f   angle %6.3f   shift (%6.3f, %6.3f)   %s\n", step,
                  loss.item<double>(), angle.item<double>(), moved[0].item<double>(), moved[1].item<double>(),
                  to_string(transport.stats.status[0]));
    }
  }
  const auto matched =
      (order.index_select(0, plan.argmax(1)) == torch::arange(count)).sum().item<std::int64_t>();
  std::printf("%ld of %ld points matched with themselves\n", static_cast<long>(matched),
              static_cast<long>(count));
  return std::abs(angle.item<double>() - 0.8) < 0.01 ? 0 : 1;
}
