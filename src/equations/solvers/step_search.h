#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "stillpoint/core/monitor.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint::detail {

/// Where an iteration of Newton's kind stands.
struct LinearizedPoint {
  at::Tensor z;
  std::unique_ptr<Linearization> linearization;
  RowNorms norms;

  LinearizedPoint(const CheckedMap& f, const at::Tensor& start, const Monitor& monitor);
};

/// Moves the running samples by a line search of all at once: the candidates are tried in turn, then the
/// first one halved at most `max_halvings` times, until a step decreases the residual of its sample (Armijo,
/// factor 1e-4). A sample that finds none takes the last. One recorded evaluation a trial.
void search_step(const CheckedMap& f, const Monitor& monitor, const std::vector<at::Tensor>& candidates,
                 std::int64_t max_halvings, LinearizedPoint& point);

}  // namespace stillpoint::detail
