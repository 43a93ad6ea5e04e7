#include <torch/types.h>

#include <cmath>

#include "dataset.h"
#include "denoise_network.h"
#include "support.h"
#include "task.h"
#include "trainer.h"

namespace stillpoint::app::testing {
namespace {

at::Tensor neighbors() {
  const auto identity = torch::eye(100, torch::kDouble);
  return identity.narrow(0, 1, 99) - identity.narrow(0, 0, 99);
}

Examples some_signals() {
  const auto test = make_signals(torch::kCPU).test.slice(0, 4);
  return {test.inputs.to(torch::kDouble), test.targets.to(torch::kDouble)};
}

// The small quadratic terms, 1e-4 of each square, are all that is between the two.
TEST(Denoising, IsTotalVariationWhereTheDifferencesAreOfNeighbors) {
  const torch::NoGradGuard no_grad;
  const auto signals = some_signals();
  LearnedDifferenceNetwork program(LearnedDifferenceNetwork::Start::Random);
  TotalVariationNetwork direct(true);
  for (Network* network : {static_cast<Network*>(&program), static_cast<Network*>(&direct)}) {
    network->to(torch::kDouble);
  }
  program.parameters()[0].copy_(neighbors());
  direct.parameters()[0].fill_(std::log(13.0));
  const auto difference = program.forward(signals.inputs) - direct.forward(signals.inputs);
  EXPECT_LT(difference.abs().max().item<double>(), 0.05);
  EXPECT_GT(difference.abs().max().item<double>(), 1e-5);
}

TEST(Denoising, BringsSignalsNearerToWhatTheyAre) {
  const torch::NoGradGuard no_grad;
  const auto test = make_signals(torch::kCPU).test;
  TotalVariationNetwork network(false);
  EXPECT_TRUE(network.parameters().empty());
  const auto mean_error = [&](const at::Tensor& signals) {
    return errors(Task::Signals, signals, test.targets).mean().item<double>();
  };
  EXPECT_NEAR(mean_error(test.inputs), 100, 2);
  EXPECT_LT(mean_error(network.forward(test.inputs)), 25);
}

TEST(Denoising, HasTheDerivativesOfFiniteDifferences) {
  torch::manual_seed(3);
  const auto signals = some_signals().inputs, targets = some_signals().targets;
  for (const char* name : {"learned-difference", "tuned-difference", "learned-weight"}) {
    const auto network = experiment("denoise").variant(name).make(0);
    network->to(torch::kDouble);
    const auto loss = [&] { return losses(Task::Signals, network->forward(signals), targets).mean(); };
    const auto gradient = torch::autograd::grad({loss()}, network->parameters())[0];
    const torch::NoGradGuard no_grad;
    auto parameter = network->parameters()[0];
    const auto direction = torch::randn_like(parameter), before = parameter.clone();
    constexpr double step = 1e-6;
    const auto moved = [&](double by) {
      parameter.copy_(before + by * direction);
      return loss().item<double>();
    };
    const double slope = (moved(step) - moved(-step)) / (2 * step);
    const double expected = (gradient * direction).sum().item<double>();
    EXPECT_NEAR(slope, expected, 1e-4 * std::abs(expected) + 1e-7) << name;
  }
}

// It takes no step, and needs neither an optimizer's state nor a gradient.
TEST(Denoising, HasAVariantWithNothingToLearn) {
  const auto& denoise = experiment("denoise");
  const auto whole = make_signals(torch::kCPU);
  const Dataset data{whole.train.slice(0, 300), whole.test.slice(0, 30)};
  auto variant = new_variant(denoise, "total-variation", 1);
  const Trainer trainer(denoise, data, 1);
  const auto epoch = trainer.run_epoch(variant, 1, [](double, const Pass&) {});
  EXPECT_EQ(epoch.test.error, trainer.test(*variant.network).error);
  EXPECT_GT(trainer.step_bytes(variant), 0);
}

}  // namespace
}  // namespace stillpoint::app::testing
