#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

#include "stillpoint/ode/vector_field.h"

namespace stillpoint::detail {

/// A vector field with its checks. It counts evaluations, so it belongs to one solve in one thread.
class Slope {
 public:
  explicit Slope(ode::VectorField field) : field_(std::move(field)) {}

  /// f(t, y), contiguous. Throws if it differs from y in shape, dtype or device, or if y was edited.
  at::Tensor operator()(const at::Tensor& t, const at::Tensor& y) const;
  std::int64_t evaluations() const { return evaluations_; }

 private:
  ode::VectorField field_;
  mutable std::int64_t evaluations_ = 0;
};

}  // namespace stillpoint::detail
