// A solver of your own as a layer. LibTorch's L-BFGS fits a logistic regression; the condition that the fit
// is an optimum is enough to differentiate it, and so to learn from other data how much to regularize it.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

using torch::Tensor;

struct Data {
  Tensor features, labels;

  Tensor loss(const Tensor& w) const {
    return torch::binary_cross_entropy_with_logits(features.mv(w[0]), labels);
  }
  Tensor gradient(const Tensor& w) const {
    return (torch::sigmoid(features.mv(w[0])) - labels).unsqueeze(0).mm(features) / labels.size(0);
  }
};

/// The w that minimizes the loss and penalty / 2 times its square.
Tensor fit(const Data& data, const Tensor& penalty, const Tensor& start) {
  const auto w = start.clone();
  const auto options = torch::optim::LBFGSOptions(1).max_iter(500).tolerance_grad(1e-9).tolerance_change(0);
  torch::optim::LBFGS optimizer({w}, options);
  optimizer.step([&] {
    w.mutable_grad() = data.gradient(w) + penalty * w;
    return data.loss(w) + 0.5 * penalty * w.square().sum();
  });
  return w;
}

int main() {
  torch::manual_seed(3);
  const auto options = torch::dtype(torch::kDouble);
  const auto truth = torch::cat({torch::ones({4}, options), torch::zeros({16}, options)});
  const auto draw = [&](std::int64_t count) {
    const auto features = torch::randn({count, 20}, options);
    return Data{features, (features.mv(truth) + torch::randn({count}, options) > 0).to(torch::kDouble)};
  };
  const auto train = draw(50);
  const auto other = draw(500);
  const auto log_penalty = torch::tensor(-6.0, options.requires_grad(true));
  torch::optim::SGD optimizer({log_penalty}, 8);
  for (int step = 0; step <= 15; ++step) {
    const auto penalty = log_penalty.exp();
    const auto [w, stats] = stillpoint::optimum(
        [&](const Tensor& start) { return fit(train, penalty.detach(), start); },
        [&](const Tensor& x) { return train.gradient(x) + penalty * x; }, torch::zeros({1, 20}, options),
        {.structure = stillpoint::Structure::PositiveDefinite, .tolerance = {.relative = 1e-6}});
    const auto loss = other.loss(w);
    optimizer.zero_grad();
    loss.backward();
    std::printf("penalty %.4f   loss on other data %.4f   its slope %+.0e   %s\n", penalty.item<double>(),
                loss.item<double>(), log_penalty.grad().item<double>(), to_string(stats.status[0]));
    if (!stats.converged()) return 1;
    optimizer.step();
  }
}
