#include "stillpoint/equations/linearization.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows/rows.h"

namespace stillpoint {

Linearization::Linearization(const CheckedMap& f, const at::Tensor& z)
    : f_(f),
      z_(z),
      tape_(f.record(z)),
      residual_(f.equation() == Equation::FixedPoint ? tape_.value() - z : tape_.value()) {}

LinearOperator Linearization::forward() {
  return operator_with([this](const at::Tensor& v) {
    if (!tangent_) {
      tangent_.emplace([this](const at::Tensor& u) { return tape_.vjp(u, /*create_graph=*/true); },
                       at::zeros_like(z_));
    }
    return tangent_->vjp(v);
  });
}

LinearOperator Linearization::transposed() const {
  return operator_with([this](const at::Tensor& u) { return tape_.vjp(u); });
}

at::Tensor Linearization::dense() const {
  const at::Tensor transposed_matrix = to_dense(transposed(), z_);
  return transposed_matrix.transpose(1, 2);
}

LinearOperator Linearization::operator_with(Map jacobian_product) const {
  const bool fixed_point = f_.equation() == Equation::FixedPoint;
  return {.product =
              [this, fixed_point, product = std::move(jacobian_product)](const at::Tensor& v) {
                f_.count_jacobian_products(1);
                const at::Tensor jv = product(v);
                return fixed_point ? jv : -jv;
              },
          .identity_minus = fixed_point};
}

}  // namespace stillpoint
