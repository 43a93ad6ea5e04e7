// A minimization as a layer. Ridge regression is fitted by Newton's method; since the fit is differentiable
// to any order in its penalty, Newton's method also finds the penalty with the least loss on other data.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

using torch::Tensor;

struct Data {
  Tensor features, targets;

  Tensor loss(const Tensor& w) const { return (w.matmul(features.t()) - targets).square().mean(1); }
};

int main() {
  torch::manual_seed(3);
  const auto options = torch::dtype(torch::kDouble);
  const auto truth = torch::randn({10}, options);
  const auto draw = [&](std::int64_t count) {
    const auto features = torch::randn({count, 10}, options);
    return Data{features, features.mv(truth) + torch::randn({count}, options)};
  };
  const auto train = draw(20);
  const auto other = draw(200);
  auto log_penalty = torch::tensor(0.0, options.requires_grad(true));
  double slope = 1.0;
  for (int step = 0; step < 10; ++step) {
    const auto penalty = log_penalty.exp();
    const auto [w, stats] =
        stillpoint::minimize([&](const Tensor& x) { return train.loss(x) + penalty * x.square().sum(1); },
                             torch::zeros({1, 10}, options), {.solver = stillpoint::optim::Newton{}});
    if (!stats.converged()) return 1;
    const auto loss = other.loss(w).sum();
    const auto first = torch::autograd::grad({loss}, {log_penalty}, {}, true, true)[0];
    const auto second = torch::autograd::grad({first}, {log_penalty})[0];
    slope = first.item<double>();
    std::printf("penalty %.6f   loss on other data %.6f   slope %+.1e   curvature %+.1e\n",
                penalty.item<double>(), loss.item<double>(), slope, second.item<double>());
    const double length = std::abs(slope) / std::max(std::abs(second.item<double>()), 1e-8);
    const double next = log_penalty.item<double>() - std::copysign(std::min(length, 1.0), slope);
    log_penalty = torch::tensor(next, options.requires_grad(true));
  }
  return std::abs(slope) < 1e-9 ? 0 : 1;
}
