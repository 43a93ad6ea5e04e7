#include "equations/solvers/step_search.h"

#include <ATen/TensorOperators.h>

#include <utility>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

// Marks the samples whose residual has decreased enough for a step of this length; true if all are marked.
bool settle(const RowNorms& trial, const RowNorms& before, double length, Mask& settled) {
  constexpr double armijo = 1e-4;
  bool all = true;
  for (std::size_t b = 0; b < settled.size(); ++b) {
    if (!settled[b]) settled[b] = trial.residual[b] <= (1.0 - armijo * length) * before.residual[b];
    all = all && settled[b];
  }
  return all;
}

}  // namespace

LinearizedPoint::LinearizedPoint(const CheckedMap& f, const at::Tensor& start, const Monitor& monitor)
    : z(start), linearization(std::make_unique<Linearization>(f, start)) {
  monitor.norms(z, linearization->residual(), norms);
}

void search_step(const CheckedMap& f, const Monitor& monitor, const std::vector<at::Tensor>& candidates,
                 std::int64_t max_halvings, LinearizedPoint& point) {
  const auto last = static_cast<std::int64_t>(candidates.size()) - 1 + max_halvings;
  Mask settled(monitor.running().size());
  for (std::size_t b = 0; b < settled.size(); ++b) settled[b] = monitor.running()[b] == 0;
  at::Tensor step = candidates.front();
  double length = 1.0;
  for (std::int64_t trial = 0;; ++trial) {
    if (trial > 0) {
      const bool whole = trial < static_cast<std::int64_t>(candidates.size());
      if (!whole) length *= 0.5;
      step = select_rows(settled, step, whole ? candidates[trial] : candidates.front() * length);
    }
    LinearizedPoint there(f, select_rows(monitor.running(), point.z + step, point.z), monitor);
    if (settle(there.norms, point.norms, length, settled) || trial == last) {
      point = std::move(there);
      return;
    }
  }
}

}  // namespace stillpoint::detail
