#include "stillpoint/equations/monotone.h"

#include <c10/util/Exception.h>

#include "equations/equation.h"

namespace stillpoint {

Solution<at::Tensor> fixed_point(const MonotoneMap& f, const at::Tensor& z0,
                                 const FixedPointOptions& options) {
  TORCH_CHECK(f.affine != nullptr && f.activation != nullptr,
              "f: expected a MonotoneMap with affine and activation, got an empty ",
              f.affine == nullptr ? "affine" : "activation");
  const Map whole = [affine = f.affine, activation = f.activation](const at::Tensor& z) {
    return activation(affine(z));
  };
  return detail::solve_equation(whole, "f", Equation::FixedPoint, z0, detail::EquationOptions(options), &f);
}

}  // namespace stillpoint
