#include "gradient_error.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace stillpoint::app {
namespace {

/// Of the largest number in the whole gradient: smaller ones may be rounding alone.
constexpr double kNegligible = 1e-6;

std::vector<at::Tensor> loss_gradient(Task task, Network& network, const Examples& batch) {
  const auto loss = losses(task, network.forward(batch.inputs), batch.targets).mean();
  return torch::autograd::grad({loss}, network.parameters());
}

at::Tensor in_double(const at::Tensor& t) { return t.is_floating_point() ? t.to(torch::kDouble) : t; }

}  // namespace

std::optional<double> gradient_error(const Experiment& experiment, const TrainedVariant& variant,
                                     const Examples& batch) {
  if (variant.network->parameters().empty()) return std::nullopt;
  const auto copy = [&] {
    auto network = experiment.variant(variant.name).make(experiment.width);
    copy_weights(*variant.network, *network);
    network->train();
    return network;
  };
  const auto network = copy();
  const auto gradient = loss_gradient(experiment.task, *network, batch);
  const auto precise = copy();
  precise->to(torch::kDouble);
  precise->solve_exactly(experiment.reference);
  const auto exact =
      loss_gradient(experiment.task, *precise, {in_double(batch.inputs), in_double(batch.targets)});
  if (const auto cost = precise->cost()) {
    if (!std::ranges::all_of(cost->solved, [](bool solved) { return solved; })) {
      return std::nullopt;
    }
  }
  const auto largest = [](const at::Tensor& t) { return t.abs().max().item<double>(); };
  double scale = 0;
  for (const auto& each : exact) {
    scale = std::max(scale, largest(each));
  }
  double error = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double relative =
        largest(gradient[i].to(torch::kDouble) - exact[i]) / std::max(largest(exact[i]), kNegligible * scale);
    if (std::isnan(relative)) {
      return std::nullopt;
    }
    error = std::max(error, relative);
  }
  return error;
}

}  // namespace stillpoint::app
