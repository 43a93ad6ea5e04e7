#pragma once

#include <ATen/core/Tensor.h>

#include <limits>

// What the dtype of a state means for the arithmetic on it.
namespace stillpoint::detail {

inline bool is_half_precision(at::ScalarType dtype) { return dtype == at::kHalf || dtype == at::kBFloat16; }

/// The relative error of one rounding. In half precision a hundredth, that of bfloat16.
inline double machine_epsilon(at::ScalarType dtype) {
  if (is_half_precision(dtype)) return 0.01;
  return dtype == at::kDouble ? std::numeric_limits<double>::epsilon()
                              : std::numeric_limits<float>::epsilon();
}

/// In float, if it is in half precision, which sums of squares overflow, and which neither factorizations nor
/// batched products are made for.
inline at::Tensor widened(const at::Tensor& t) {
  return is_half_precision(t.scalar_type()) ? t.to(at::kFloat) : t;
}
/// `t` in the dtype of the one that was widened.
inline at::Tensor narrowed(const at::Tensor& t, at::ScalarType dtype) {
  return t.scalar_type() == dtype ? t : t.to(dtype);
}

}  // namespace stillpoint::detail
