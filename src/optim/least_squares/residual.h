#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "stillpoint/autograd/tape.h"

namespace stillpoint::detail {

/// The residuals at one point, recorded.
class RecordedResidual {
 public:
  RecordedResidual(Tape tape, const at::Tensor& x, std::int64_t& products);

  /// `[B, M]`.
  const at::Tensor& value() const { return value_; }
  /// `[B, M, N]`, of the numbers of x in row-major order: M products, or N forward ones if these are fewer
  /// than half.
  at::Tensor jacobian() const;

 private:
  at::Tensor by_rows() const;
  at::Tensor by_columns() const;

  Tape tape_;
  at::Tensor x_;
  at::Tensor value_;
  std::int64_t* products_;
};

/// The residuals as solvers see them: checked, and counted.
class CheckedResidual {
 public:
  explicit CheckedResidual(std::function<at::Tensor(const at::Tensor&)> f) : f_(std::move(f)) {}

  /// At x, `[B, …]`. The result lives no longer than this object.
  RecordedResidual record(const at::Tensor& x);

  std::int64_t evaluations() const { return evaluations_; }
  std::int64_t jacobian_products() const { return jacobian_products_; }

 private:
  std::function<at::Tensor(const at::Tensor&)> f_;
  std::int64_t evaluations_ = 0;
  std::int64_t jacobian_products_ = 0;
};

/// `f` with the checks alone.
std::function<at::Tensor(const at::Tensor&)> checked_residual(
    std::function<at::Tensor(const at::Tensor&)> f);

}  // namespace stillpoint::detail
