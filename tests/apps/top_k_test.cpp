#include "top_k_network.h"

#include <torch/types.h>

#include "support.h"
#include "task.h"

namespace stillpoint::app::testing {
namespace {

using Layer = TopKNetwork::Layer;

// New scores are nearly alike, so each image is chosen for three eighths.
TEST(TopK, ChoosesAsManyAsItShould) {
  const torch::NoGradGuard no_grad;
  const auto sets = torch::rand({4, kSetSize, 784});
  for (const auto layer : {Layer::SoftTopK, Layer::CappedSimplex}) {
    const auto chosen = TopKNetwork(layer).forward(sets);
    EXPECT_TRUE(chosen.sum(1).allclose(torch::full({4}, 3.0)));
    EXPECT_LT((chosen - 0.375).abs().max().item<double>(), 0.2);
  }
}

TEST(TopK, DoesNotDependOnTheOrderOfASet) {
  const torch::NoGradGuard no_grad;
  const auto sets = torch::rand({4, kSetSize, 784});
  for (const auto layer : {Layer::SoftTopK, Layer::CappedSimplex, Layer::Sigmoid}) {
    TopKNetwork network(layer);
    EXPECT_TRUE(network.forward(sets.flip(1)).allclose(network.forward(sets).flip(1), 1e-4, 1e-5));
  }
}

// In double, along a direction, through the smooth choice and the convolutions.
TEST(TopK, HasTheDerivativesOfFiniteDifferences) {
  torch::manual_seed(3);
  const auto sets = torch::rand({3, kSetSize, 784}, torch::kDouble);
  const auto digits = torch::arange(8).expand({3, 8});
  for (const auto layer : {Layer::SoftTopK, Layer::CappedSimplex}) {
    TopKNetwork network(layer);
    network.to(torch::kDouble);
    const auto loss = [&] { return losses(Task::Choices, network.forward(sets), digits).mean(); };
    auto weight = network.named_parameters()["scorer.weight"];
    const auto gradient = torch::autograd::grad({loss()}, {weight})[0];
    const torch::NoGradGuard no_grad;
    const auto direction = torch::randn_like(weight), before = weight.clone();
    constexpr double step = 1e-6;
    const auto moved = [&](double by) {
      weight.copy_(before + by * direction);
      return loss().item<double>();
    };
    const double slope = (moved(step) - moved(-step)) / (2 * step);
    EXPECT_NEAR(slope, (gradient * direction).sum().item<double>(), 1e-6);
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
