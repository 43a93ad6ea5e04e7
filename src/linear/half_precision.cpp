#include "linear/half_precision.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <tuple>

#include "core/rows/rows.h"
#include "linear/vectors.h"

namespace stillpoint {
namespace {

// For each sample of v a power of two that divides it to numbers below 2; shaped to broadcast.
at::Tensor power_column(const at::Tensor& v) {
  const at::Tensor largest = v.reshape({v.size(0), detail::row_width(v)}).abs().amax(1);
  const at::Tensor exponent = std::get<1>(at::frexp(largest)) - 1;
  return detail::as_column(at::ldexp(at::ones_like(largest), exponent), v);
}

}  // namespace

LinearOperator detail::widened(const LinearOperator& a, at::ScalarType dtype) {
  if (!is_half_precision(dtype)) return a;
  LinearOperator wide = a;
  wide.product = [product = a.product, dtype](const at::Tensor& v) {
    if (v.numel() == 0) return v;
    const at::Tensor unit = power_column(v);
    return product((v / unit).to(dtype)).to(at::kFloat) * unit;
  };
  return wide;
}

Solution<at::Tensor> detail::solve_widened(const LinearSolver& solver, const LinearOperator& a,
                                           const at::Tensor& b, const at::Tensor& x0,
                                           const ResolvedTolerance& tolerance) {
  const at::ScalarType dtype = b.scalar_type();
  const LinearOperator wide = widened(a, dtype);
  const at::Tensor wide_b = b.to(at::kFloat);
  Solution<at::Tensor> solution =
      solver.solve(wide, wide_b, x0.defined() ? x0.to(at::kFloat) : x0, tolerance);
  solution.value = solution.value.to(dtype);
  Solution<at::Tensor> returned{solution.value.to(at::kFloat), std::move(solution.stats)};
  confirm(wide, wide_b, tolerance, returned);
  return {solution.value, std::move(returned.stats)};
}

}  // namespace stillpoint
