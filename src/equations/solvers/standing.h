#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/rows/rows.h"
#include "stillpoint/core/monitor.h"

namespace stillpoint::detail {

/// Where each sample stands, for solvers that take trial steps and refuse some: a refused trial is no
/// iterate, so the monitor sees the old one again. A sample whose trials keep leaving the finite numbers
/// shows that in the end, by its residual, and the monitor gives it up.
class Standing {
 public:
  Standing(at::Tensor z, RowNorms norms)
      : z_(std::move(z)), norms_(std::move(norms)), refused_(norms_.residual.size()) {}

  const at::Tensor& z() const { return z_; }
  const RowNorms& norms() const { return norms_; }

  /// Moves the marked samples to the trial points.
  void move(const Mask& mark, const at::Tensor& trial, const RowNorms& trial_norms) {
    constexpr std::int64_t patience = 20;
    for (std::size_t b = 0; b < mark.size(); ++b) {
      if (mark[b]) {
        norms_.residual[b] = trial_norms.residual[b];
        norms_.scale[b] = trial_norms.scale[b];
        refused_[b] = 0;
      } else if (!std::isfinite(trial_norms.residual[b]) && ++refused_[b] >= patience) {
        norms_.residual[b] = trial_norms.residual[b];
      }
    }
    z_ = select_rows(mark, trial, z_);
  }

 private:
  at::Tensor z_;
  RowNorms norms_;
  std::vector<std::int64_t> refused_;  // non-finite trials in a row
};

}  // namespace stillpoint::detail
