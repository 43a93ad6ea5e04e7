#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "stillpoint/core/mask.h"
#include "stillpoint/ode/vector_field.h"

namespace stillpoint::detail {

/// A vector field with its checks. It counts evaluations, so it belongs to one solve in one thread.
class Slope {
 public:
  /// `independent`: it is known already that the samples do not depend on each other.
  explicit Slope(ode::VectorField field, bool independent = false)
      : field_(std::move(field)), inputs_(field_.inputs), checked_(independent) {}

  /// f(t, y), contiguous; zero for the samples that are left out. Throws if it differs from y in shape, dtype
  /// or device, if y was edited, or if the samples turn out to depend on each other.
  at::Tensor operator()(const at::Tensor& t, const at::Tensor& y) const;
  /// Whether f reads the time; if not, it need not be made.
  bool takes_time() const { return field_.takes_time; }
  /// From now on evaluates f for these samples only, if it takes inputs and a quarter or more are left out.
  void keep(const Mask& running);

  std::int64_t evaluations() const { return evaluations_; }
  std::int64_t sample_evaluations() const { return sample_evaluations_; }

 private:
  at::Tensor call(const at::Tensor& t, const at::Tensor& y, const std::vector<at::Tensor>& inputs) const;
  void check_independence(const at::Tensor& t, const at::Tensor& y, const at::Tensor& some) const;

  ode::VectorField field_;
  std::vector<at::Tensor> inputs_;  // of the samples that are evaluated
  at::Tensor index_;                // of these; undefined: all
  mutable bool checked_;
  mutable std::int64_t evaluations_ = 0;
  mutable std::int64_t sample_evaluations_ = 0;
};

}  // namespace stillpoint::detail
