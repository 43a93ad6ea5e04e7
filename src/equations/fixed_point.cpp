#include "stillpoint/equations/fixed_point.h"

#include "equations/equation.h"

namespace stillpoint {

Solution<at::Tensor> fixed_point(const Map& f, const at::Tensor& z0, const FixedPointOptions& options) {
  return detail::solve_equation(f, "f", Equation::FixedPoint, z0, detail::EquationOptions(options));
}

Solution<at::Tensor> fixed_point(const MapWithInputs& f, const std::vector<at::Tensor>& inputs,
                                 const at::Tensor& z0, const FixedPointOptions& options) {
  return detail::solve_equation(f, inputs, "f", Equation::FixedPoint, z0, detail::EquationOptions(options));
}

Solution<std::vector<at::Tensor>> fixed_point(const TupleMap& f, const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options) {
  return detail::solve_equation(f, "f", Equation::FixedPoint, z0, detail::EquationOptions(options));
}

Solution<std::vector<at::Tensor>> fixed_point(const TupleMapWithInputs& f,
                                              const std::vector<at::Tensor>& inputs,
                                              const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options) {
  return detail::solve_equation(f, inputs, "f", Equation::FixedPoint, z0, detail::EquationOptions(options));
}

}  // namespace stillpoint
