#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

#include "stillpoint/autograd/tape.h"
#include "stillpoint/core/condition.h"

namespace stillpoint {

/// The condition of a problem as solvers and gradient rules see it. It counts evaluations. It throws if the
/// value differs from the argument in shape, dtype or device, or if the argument was edited in place. It
/// belongs to one solve in one thread: its const functions write the counts.
class CheckedMap {
 public:
  explicit CheckedMap(Condition condition) : condition_(std::move(condition)) {}

  const Condition& condition() const { return condition_; }
  /// What is asked of z: z = f(z) or f(z) = 0.
  Form form() const { return condition_.form; }
  /// f(z), contiguous.
  at::Tensor operator()(const at::Tensor& z) const;
  /// What has to vanish, contiguous: f(z) − z, or f(z) for a root.
  at::Tensor residual(const at::Tensor& z) const;
  /// The value of a part of the map, under the same checks, contiguous. It is not counted.
  at::Tensor evaluate_part(const Map& part, const at::Tensor& z) const;
  /// f(z), recorded: its value, and products with its Jacobian by replay.
  Tape record(const at::Tensor& z) const;
  /// The caller's condition with the checks, without the counting: what outlives the solve.
  Condition checked() const;

  std::int64_t evaluations() const { return evaluations_; }
  /// For solvers that evaluate the map in its parts.
  void count_evaluations(std::int64_t evaluations) const { evaluations_ += evaluations; }
  /// For solvers that take products from a recorded tape.
  void count_jacobian_products(std::int64_t products) const { jacobian_products_ += products; }
  std::int64_t jacobian_products() const { return jacobian_products_; }

 private:
  Map checked_map() const;

  Condition condition_;
  mutable std::int64_t evaluations_ = 0;
  mutable std::int64_t jacobian_products_ = 0;
};

}  // namespace stillpoint
