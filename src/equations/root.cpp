#include "stillpoint/equations/root.h"

#include "equations/equation.h"

namespace stillpoint {

Solution<at::Tensor> root(const Map& g, const at::Tensor& z0, const RootOptions& options) {
  return detail::solve_equation(g, "g", Equation::Root, z0, detail::EquationOptions(options));
}

Solution<at::Tensor> root(const MapWithInputs& g, const std::vector<at::Tensor>& inputs, const at::Tensor& z0,
                          const RootOptions& options) {
  return detail::solve_equation(g, inputs, "g", Equation::Root, z0, detail::EquationOptions(options));
}

Solution<std::vector<at::Tensor>> root(const TupleMap& g, const std::vector<at::Tensor>& z0,
                                       const RootOptions& options) {
  return detail::solve_equation(g, "g", Equation::Root, z0, detail::EquationOptions(options));
}

Solution<std::vector<at::Tensor>> root(const TupleMapWithInputs& g, const std::vector<at::Tensor>& inputs,
                                       const std::vector<at::Tensor>& z0, const RootOptions& options) {
  return detail::solve_equation(g, inputs, "g", Equation::Root, z0, detail::EquationOptions(options));
}

}  // namespace stillpoint
