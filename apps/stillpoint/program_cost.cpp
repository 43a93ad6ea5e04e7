#include "program_cost.h"

#include <algorithm>

namespace stillpoint::app {

SolveCost cost_of(const optim::ProgramStats& stats) {
  SolveCost cost{.forward = static_cast<double>(std::ranges::max(stats.iterations))};
  for (const auto status : stats.status) cost.solved.push_back(status == optim::ProgramStatus::Optimal);
  if (stats.backward && !stats.backward->status.empty()) {
    const auto& backward = *stats.backward;
    cost.backward = static_cast<double>(std::ranges::max(backward.iterations));
    cost.backward_unsolved =
        static_cast<std::int64_t>(backward.status.size()) - backward.count(Status::Converged);
  }
  return cost;
}

}  // namespace stillpoint::app
