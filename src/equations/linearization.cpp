#include "stillpoint/equations/linearization.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows/rows.h"

namespace stillpoint {

Linearization::Linearization(const CheckedMap& f, const at::Tensor& z)
    : f_(f), z_(z), tape_(f.record(z)), residual_(f.condition().residual(z, tape_.value())) {}

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
  return f_.condition().negative_jacobian([this, product = std::move(jacobian_product)](const at::Tensor& v) {
    f_.count_jacobian_products(1);
    return product(v);
  });
}

}  // namespace stillpoint
