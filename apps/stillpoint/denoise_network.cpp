#include "denoise_network.h"

#include <torch/types.h>

#include <cmath>

#include "dataset.h"
#include "program_cost.h"
#include "stillpoint/optim/projections/total_variation.h"
#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kDifferences = kSignalLength - 1;
constexpr double kPublishedWeight = 21.21;

at::Tensor first_difference(LearnedDifferenceNetwork::Start start) {
  if (start == LearnedDifferenceNetwork::Start::Random)
    return 0.3 * torch::randn({kDifferences, kSignalLength}, torch::kFloat);
  const auto identity = torch::eye(kSignalLength, torch::kFloat);
  return identity.narrow(0, 1, kDifferences) - identity.narrow(0, 0, kDifferences);
}

}  // namespace

TotalVariationNetwork::TotalVariationNetwork(bool learns_weight) {
  const auto start = torch::full({}, std::log(kPublishedWeight), torch::kFloat);
  log_weight_ =
      learns_weight ? register_parameter("log_weight", start) : register_buffer("log_weight", start);
}

at::Tensor TotalVariationNetwork::forward(const at::Tensor& noisy) {
  return optim::total_variation(noisy, log_weight_.exp()).value;
}

LearnedDifferenceNetwork::LearnedDifferenceNetwork(Start start)
    : start_(start), difference_(register_parameter("difference", first_difference(start))) {}

at::Tensor LearnedDifferenceNetwork::penalty() {
  return start_ == Start::Random ? 0.1 * difference_.abs().sum() : at::Tensor();
}

at::Tensor LearnedDifferenceNetwork::forward(const at::Tensor& noisy) {
  const double weight = start_ == Start::Random ? 13 : kPublishedWeight;
  constexpr double of_x = 1 + 1e-4, of_t = 1e-8 + 1e-4;
  const auto y = noisy.to(torch::kDouble), d = difference_.to(torch::kDouble);
  const auto curvature = torch::cat(
      {torch::full({kSignalLength}, of_x, y.options()), torch::full({kDifferences}, of_t, y.options())});
  const auto minus_t = -torch::eye(kDifferences, y.options());
  auto [xt, stats] = quadratic_program(
      {.Q = curvature.diag(),
       .p = torch::cat({-y, torch::full({y.size(0), kDifferences}, weight, y.options())}, 1),
       .G = torch::cat({torch::cat({d, minus_t}, 1), torch::cat({-d, minus_t}, 1)}),
       .h = torch::zeros(2 * kDifferences, y.options())},
      {.on_failure = OnFailure::Ignore});
  stats_ = stats;
  return xt.narrow(1, 0, kSignalLength).to(noisy.scalar_type());
}

std::optional<SolveCost> LearnedDifferenceNetwork::cost() const { return cost_of(stats_); }

ReluNetwork::ReluNetwork()
    : encoder_(register_module("encoder", torch::nn::Linear(kSignalLength, 50))),
      decoder_(register_module("decoder", torch::nn::Linear(50, kSignalLength))) {}

at::Tensor ReluNetwork::forward(const at::Tensor& noisy) { return decoder_(encoder_(noisy).relu()); }

}  // namespace stillpoint::app
