#include "stillpoint/equations/root.h"

#include "equations/equation.h"

namespace stillpoint {

Solution<at::Tensor> root(const Condition& g, const at::Tensor& z0, const RootOptions& options) {
  return detail::solve_equation(g.stated(Form::Root, "g"), z0, detail::EquationOptions(options));
}

Solution<std::vector<at::Tensor>> root(const TupleCondition& g, const std::vector<at::Tensor>& z0,
                                       const RootOptions& options) {
  return detail::solve_equation(g, Form::Root, "g", z0, detail::EquationOptions(options));
}

}  // namespace stillpoint
