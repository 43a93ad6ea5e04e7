#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "core/rows.h"
#include "stillpoint/core/monitor.h"

namespace stillpoint::detail {

/// A line search of all samples at once: which step is tried for each, and who has settled on one. A step has
/// to decrease the residual of its sample (Armijo, factor 1e-4); where it does not, it is halved.
class StepSearch {
 public:
  StepSearch(at::Tensor full, const std::vector<std::uint8_t>& running)
      : full_(std::move(full)), step_(full_), settled_(running.size()) {
    for (std::size_t b = 0; b < running.size(); ++b) settled_[b] = running[b] == 0;
  }

  /// Another step to be tried after the full one, before that is halved.
  void then_try(at::Tensor other) { other_ = std::move(other); }

  const at::Tensor& step() const { return step_; }

  /// Settles the samples whose residual has decreased enough; true if all have settled.
  bool settle(const RowNorms& trial, const RowNorms& current) {
    constexpr double armijo = 1e-4;
    bool all = true;
    for (std::size_t b = 0; b < settled_.size(); ++b) {
      if (!settled_[b]) settled_[b] = trial.residual[b] <= (1.0 - armijo * length_) * current.residual[b];
      all = all && settled_[b];
    }
    return all;
  }

  /// Turns to the next candidate for the others.
  void next() {
    at::Tensor candidate = std::exchange(other_, at::Tensor());
    if (!candidate.defined()) candidate = full_ * (length_ *= 0.5);
    step_ = select_rows(settled_, step_, candidate);
  }

 private:
  at::Tensor full_, other_, step_;
  std::vector<std::uint8_t> settled_;
  double length_ = 1.0;
};

}  // namespace stillpoint::detail
