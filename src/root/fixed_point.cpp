#include "stillpoint/root/fixed_point.h"

#include <c10/util/Exception.h>

#include "core/check.h"
#include "root/equation.h"

namespace stillpoint {

Solution<at::Tensor> fixed_point(const Map& f, const at::Tensor& z0, const FixedPointOptions& options) {
  return detail::solve_equation(f, "f", Equation::FixedPoint, z0, detail::EquationOptions(options));
}

Solution<at::Tensor> fixed_point(const MapWithInputs& f, const std::vector<at::Tensor>& inputs,
                                 const at::Tensor& z0, const FixedPointOptions& options) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  detail::check_state("z0", z0);
  for (const at::Tensor& input : inputs) {
    TORCH_CHECK(input.defined() && input.dim() > 0 && input.size(0) == z0.size(0),
                "inputs: expected tensors [B, …] with B = ", z0.size(0), " as in z0, got ",
                input.defined() ? c10::str("shape ", input.sizes()) : std::string("an undefined one"));
  }
  const detail::DivisibleMap divisible{f, inputs};
  const Map whole = [f, inputs](const at::Tensor& z) { return f(z, inputs); };
  return detail::solve_equation(whole, "f", Equation::FixedPoint, z0, detail::EquationOptions(options),
                                &divisible);
}

Solution<std::vector<at::Tensor>> fixed_point(const TupleMap& f, const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options) {
  return detail::solve_equation(f, "f", Equation::FixedPoint, z0, detail::EquationOptions(options));
}

}  // namespace stillpoint
