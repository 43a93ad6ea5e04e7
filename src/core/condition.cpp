#include "stillpoint/core/condition.h"

#include <ATen/TensorOperators.h>

namespace stillpoint {

Condition::Condition(MapWithInputs f, std::vector<at::Tensor> f_inputs)
    : divisible(std::move(f)), inputs(std::move(f_inputs)) {
  if (divisible != nullptr) {
    map = [whole = divisible, all = inputs](const at::Tensor& z) { return whole(z, all); };
  }
}

Condition Condition::stated(Form as, std::string map_name) const {
  Condition condition = *this;
  condition.form = as;
  condition.name = std::move(map_name);
  return condition;
}

at::Tensor Condition::residual(const at::Tensor& z, const at::Tensor& value) const {
  return form == Form::FixedPoint ? value - z : value;
}

LinearOperator Condition::negative_jacobian(Map jacobian_product) const {
  if (form == Form::FixedPoint) {
    return {.product = std::move(jacobian_product), .structure = structure, .identity_minus = true};
  }
  return {
      .product = [product = std::move(jacobian_product)](const at::Tensor& v) { return product(v).neg(); },
      .structure = structure};
}

}  // namespace stillpoint
