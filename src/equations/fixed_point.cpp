#include "stillpoint/equations/fixed_point.h"

#include "equations/equation.h"

namespace stillpoint {

Solution<at::Tensor> fixed_point(const Condition& f, const at::Tensor& z0, const FixedPointOptions& options) {
  return detail::solve_equation(f.stated(Form::FixedPoint, "f"), z0, detail::EquationOptions(options));
}

Solution<std::vector<at::Tensor>> fixed_point(const TupleCondition& f, const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options) {
  return detail::solve_equation(f, Form::FixedPoint, "f", z0, detail::EquationOptions(options));
}

}  // namespace stillpoint
