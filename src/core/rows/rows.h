#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/dtype.h"
#include "core/rows/row_kernels.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/core/tolerance.h"

// What solvers do to a batch seen as rows: tensors `[B, …]`, contiguous, one sample a row. Float and double
// on CPU go through the row kernels, everything else through ATen; both give the same results to rounding.
namespace stillpoint::detail {

/// Sends everything through ATen while it lives. For tests.
class AtenPathGuard {
 public:
  AtenPathGuard() : previous_(active.exchange(true)) {}
  ~AtenPathGuard() { active = previous_; }
  AtenPathGuard(const AtenPathGuard&) = delete;
  AtenPathGuard& operator=(const AtenPathGuard&) = delete;

  static inline std::atomic<bool> active = false;

 private:
  bool previous_;
};

/// Tensors for iterates that nobody holds any more are used again, which spares small solves most of their
/// allocations.
class Recycler {
 public:
  /// A contiguous tensor like `like` (contiguous, too), its contents unspecified.
  at::Tensor take(const at::Tensor& like);

 private:
  std::vector<at::Tensor> taken_;
};

inline bool has_row_kernels(const at::Tensor& t) {
  const at::ScalarType dtype = t.scalar_type();
  return t.is_cpu() && (dtype == at::kFloat || dtype == at::kDouble) &&
         !AtenPathGuard::active.load(std::memory_order_relaxed);
}

/// Numbers in a sample; 0 if there are no samples.
inline std::int64_t row_width(const at::Tensor& t) {
  const std::int64_t batch = t.sizes()[0];
  return batch == 0 ? 0 : t.numel() / batch;
}

/// `per_sample`, `[B]`, as a view that broadcasts against `like`.
at::Tensor as_column(const at::Tensor& per_sample, const at::Tensor& like);
/// `per_sample`, one number a sample on the host, as a tensor that broadcasts against `like`.
at::Tensor to_column(const std::vector<double>& per_sample, const at::Tensor& like);
at::Tensor to_mask(const Mask& per_sample, const at::Tensor& like);

/// A tensor of few numbers as a host vector. Synchronizes a GPU.
std::vector<double> to_host(const at::Tensor& t);

/// How small a square may be in T before a sum of such squares has lost digits that count.
template <class T>
inline constexpr double kLeastSquare =
    static_cast<double>(std::numeric_limits<T>::min()) / std::numeric_limits<T>::epsilon();

/// Whether a sum of `width` squares taken in T is right to rounding: not NaN, not beyond the largest number,
/// and no square that counts is so small that digits of it were lost.
template <class T>
bool is_safe_square(double sum, std::int64_t width) {
  return sum >= static_cast<double>(width) * kLeastSquare<T> && sum <= std::numeric_limits<double>::max();
}

/// ‖x − y‖ for a row of numbers of any size, finite or infinite; y may be null (zero). T is float or double.
template <class T>
double scaled_norm(const T* x, const T* y, std::int64_t width);

/// The norm of each sample, on the host. Squares neither overflow nor underflow: where a sum of them would
/// have, the row is measured in units of its largest number, as BLAS's nrm2 does.
std::vector<double> row_norms(const at::Tensor& t, Norm norm);
/// The Euclidean norm of a row of `width` numbers, as `norm` measures it.
double scale_norm(double euclidean, Norm norm, std::int64_t width);

/// Inner products of the samples of x and y, shaped to broadcast against them.
at::Tensor row_dot(const at::Tensor& x, const at::Tensor& y);
/// A x for matrices A, `[B, N, N]`, and rows x, `[B, N]`.
at::Tensor matrix_times(const at::Tensor& matrix, const at::Tensor& x);

/// t where it is finite, else 0.
at::Tensor finite_or_zero(const at::Tensor& t);
/// x / y where that is finite, else 0.
at::Tensor quotient_or_zero(const at::Tensor& x, const at::Tensor& y);

/// `chosen` where the sample is marked, else `other`: a selection, so that NaN stays where it is.
at::Tensor select_rows(const Mask& mark, const at::Tensor& chosen, const at::Tensor& other);
/// The largest difference between two evaluations of one map, if it is more than sums in another order
/// explain; else 0. Infinite if one is NaN where the other is not.
double disagreement(const at::Tensor& a, const at::Tensor& b);
/// Copies the marked rows of `from` to `into`.
void copy_rows(const Mask& mark, const at::Tensor& from, at::Tensor& into);

/// z + damping (fz − z)
at::Tensor damp(const at::Tensor& z, const at::Tensor& fz, double damping, Recycler& recycler);

/// p + g, and ‖p + g − u‖ for each sample.
at::Tensor add_and_compare(const at::Tensor& p, const at::Tensor& g, const at::Tensor& u, Norm norm,
                           Recycler& recycler, std::vector<double>& change);

}  // namespace stillpoint::detail
