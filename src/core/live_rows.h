#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "stillpoint/core/condition.h"
#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// The map of a condition with inputs, evaluated for the samples that still run; the others get a residual of
/// zero, as if it were −z there. The set is narrowed when a quarter of it has finished, and with it the
/// inputs, so that gathering costs little. The first time, what comes out is compared with the whole map, to
/// refuse one whose samples depend on each other.
class LiveRows {
 public:
  /// `running`, which lives elsewhere, marks the samples that run at the time of an evaluation.
  LiveRows(Condition condition, const Mask& running) : condition_(std::move(condition)), running_(running) {}

  at::Tensor operator()(const at::Tensor& z);
  /// The same for a function with one number a sample, `[B]`: the others get zero, with a gradient of zero
  /// and the Hessian of ½‖z‖².
  at::Tensor values(const at::Tensor& z);

  std::int64_t sample_evaluations() const { return sample_evaluations_; }
  /// Evaluations made to compare.
  std::int64_t checks() const { return checked_ ? 1 : 0; }

 private:
  at::Tensor evaluate(const at::Tensor& z);
  void narrow(const at::Tensor& z);
  void check_independence(const at::Tensor& z, const at::Tensor& some);

  Condition condition_;
  const Mask& running_;
  at::Tensor index_;  // of the samples evaluated; undefined: all
  Mask evaluated_;    // the same as marks
  std::vector<at::Tensor> inputs_;
  std::int64_t sample_evaluations_ = 0;
  bool checked_ = false;
};

}  // namespace stillpoint::detail
