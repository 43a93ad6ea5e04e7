#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "stillpoint/autograd/tape.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/optim/least_squares.h"

namespace stillpoint::detail {

/// The residuals at one point, recorded; of some samples only, if an index says of which. The others get
/// zeros.
class RecordedResidual {
 public:
  RecordedResidual(Tape tape, const at::Tensor& x, at::Tensor index, std::int64_t batch,
                   std::int64_t& products);

  /// `[B, M]`.
  at::Tensor value() const { return scattered(value_); }
  /// `[B, M, N]`, of the numbers of x in row-major order: M products, or N forward ones if these are fewer
  /// than half.
  at::Tensor jacobian() const;

 private:
  at::Tensor scattered(const at::Tensor& some) const;
  at::Tensor by_rows() const;
  at::Tensor by_columns() const;

  Tape tape_;
  at::Tensor x_;
  at::Tensor value_;
  at::Tensor index_;  // undefined: all
  std::int64_t batch_;
  std::int64_t* products_;
};

/// The residuals as solvers see them: checked, counted, and where they take inputs evaluated for the samples
/// that run. The set is narrowed when a quarter of it has finished; the first time, what comes out is
/// compared with the whole, to refuse a residual whose samples depend on each other.
class CheckedResidual {
 public:
  explicit CheckedResidual(Residual residual) : residual_(std::move(residual)) {}

  /// At x, `[B, …]`, where it is wanted for the `running` samples. The result lives no longer than this
  /// object.
  RecordedResidual record(const at::Tensor& x, const Mask& running);

  std::int64_t evaluations() const { return evaluations_; }
  std::int64_t sample_evaluations() const { return sample_evaluations_; }
  std::int64_t jacobian_products() const { return jacobian_products_; }

 private:
  void narrow(const at::Tensor& x, const Mask& running);
  void check_independence(const at::Tensor& x, const at::Tensor& some) const;

  Residual residual_;
  at::Tensor index_;  // of the samples evaluated; undefined: all
  std::vector<at::Tensor> inputs_;
  std::int64_t evaluations_ = 0;
  std::int64_t sample_evaluations_ = 0;
  std::int64_t jacobian_products_ = 0;
};

/// The residual of all samples with the checks alone.
std::function<at::Tensor(const at::Tensor&)> checked_residual(const Residual& residual);

}  // namespace stillpoint::detail
