#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stillpoint/autograd/tape.h"
#include "stillpoint/core/map.h"

namespace stillpoint {

struct MonotoneMap;

/// The map of a problem as solvers and gradient rules see it. It counts evaluations. It throws if the result
/// differs from the argument in shape, dtype or device, or if the argument was edited in place.
class CheckedMap {
 public:
  /// `name` is what error messages call the map.
  CheckedMap(Map f, const char* name, Equation equation = Equation::FixedPoint,
             const MonotoneMap* monotone = nullptr)
      : f_(std::move(f)), name_(name), equation_(equation), monotone_(monotone) {}

  /// Which equation is being solved: z = f(z) or f(z) = 0.
  Equation equation() const { return equation_; }

  /// f(z), contiguous.
  at::Tensor operator()(const at::Tensor& z) const;
  /// What has to vanish, contiguous: f(z) − z, or f(z) for a root.
  at::Tensor residual(const at::Tensor& z) const;
  /// The map in its parts, for the solver called `solver`. Throws if the map was not given in parts.
  const MonotoneMap& monotone(const char* solver) const;
  /// Only the affine part, contiguous; counts as an evaluation.
  at::Tensor affine(const at::Tensor& z) const;
  /// Only the activation, contiguous.
  at::Tensor activation(const at::Tensor& v) const;
  /// f(z), recorded: its value, and products with its Jacobian by replay.
  Tape record(const at::Tensor& z) const;

  /// The caller's map with the checks but without the counting, to outlive the solve.
  Map checked() const;
  std::int64_t evaluations() const { return evaluations_; }

  /// For solvers that take products from a recorded tape.
  void count_jacobian_products(std::int64_t products) const { jacobian_products_ += products; }
  std::int64_t jacobian_products() const { return jacobian_products_; }

 private:
  Map f_;
  const char* name_;
  Equation equation_;
  const MonotoneMap* monotone_;
  mutable std::int64_t evaluations_ = 0;
  mutable std::int64_t jacobian_products_ = 0;
};

}  // namespace stillpoint
