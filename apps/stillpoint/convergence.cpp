#include "convergence.h"

#include <torch/types.h>

#include <algorithm>

namespace stillpoint::app {
namespace {

Trace trace(std::string title, Network& network, const at::Tensor& inputs, const FixedPointSolver& solver) {
  constexpr std::int64_t steps = 200;
  Trace trace{.title = std::move(title), .residual = {}};
  *network.solve_options() = {
      .solver = solver,
      .tolerance = {.relative = 0.0, .absolute = 1e-9},
      .max_iterations = steps,
      .on_failure = OnFailure::Ignore,
      .observer = [&](const Iterate& at) { trace.residual.push_back(std::ranges::max(at.residual)); }};
  network.forward(inputs);
  return trace;
}

NetworkPointer precise_copy(const Experiment& experiment, const TrainedVariant& variant) {
  auto network = experiment.variant(variant.name).make(experiment.width);
  copy_weights(*variant.network, *network);
  network->to(torch::kDouble);
  network->eval();
  return network;
}

}  // namespace

std::vector<Trace> trace_solvers(const Experiment& experiment, const std::vector<TrainedVariant*>& variants,
                                 const at::Tensor& inputs) {
  const torch::NoGradGuard no_grad;
  const auto batch = inputs.is_floating_point() ? inputs.to(torch::kDouble) : inputs;
  std::vector<Trace> traces;
  if (!experiment.compared.empty()) {
    const auto network = precise_copy(experiment, *variants.front());
    for (const auto& solver : experiment.compared) {
      traces.push_back(trace(solver.name(), *network, batch, solver));
    }
    return traces;
  }
  for (const auto* variant : variants) {
    const auto network = precise_copy(experiment, *variant);
    if (const auto* options = network->solve_options()) {
      const auto solver = options->solver;
      traces.push_back(trace(variant->name, *network, batch, solver));
    }
  }
  return traces;
}

}  // namespace stillpoint::app
