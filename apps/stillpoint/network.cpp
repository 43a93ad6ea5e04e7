#include "network.h"

#include <torch/types.h>

#include <algorithm>

namespace stillpoint::app {

std::optional<SolveCost> Network::cost() const {
  const auto slowest = [](const Stats& of) { return static_cast<double>(std::ranges::max(of.iterations)); };
  const auto* solve = stats();
  if (solve == nullptr) {
    return std::nullopt;
  }
  SolveCost cost{.forward = slowest(*solve)};
  for (const auto status : solve->status) {
    cost.solved.push_back(status == Status::Converged);
  }
  if (solve->backward && !solve->backward->status.empty()) {
    cost.backward = slowest(*solve->backward);
    cost.backward_unsolved =
        static_cast<std::int64_t>(solve->backward->status.size()) - solve->backward->count(Status::Converged);
  }
  return cost;
}

void Network::solve_exactly(const FixedPointOptions& reference) {
  if (auto* options = solve_options()) {
    *options = reference;
  }
}

void copy_weights(Network& from, Network& to) {
  auto all = from.parameters();
  for (const auto& buffer : from.buffers()) all.push_back(buffer);
  const auto& like = all.front();
  to.to(like.device(), like.scalar_type());
  torch::NoGradGuard no_grad;
  const auto copy_all = [](const std::vector<at::Tensor>& source, std::vector<at::Tensor> target) {
    for (std::size_t i = 0; i < source.size(); ++i) {
      target[i].copy_(source[i]);
    }
  };
  copy_all(from.parameters(), to.parameters());
  copy_all(from.buffers(), to.buffers());
}

}  // namespace stillpoint::app
