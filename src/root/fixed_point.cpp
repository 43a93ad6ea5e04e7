#include "stillpoint/root/fixed_point.h"

#include <c10/util/Exception.h>

#include "root/equation.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {

Solution<at::Tensor> fixed_point(const Map& f, const at::Tensor& z0, const FixedPointOptions& options) {
  return detail::solve_equation(f, "f", Equation::FixedPoint, z0, options.solver, options.gradient,
                                options.tolerance, options.max_iterations, options.on_failure);
}

Solution<std::vector<at::Tensor>> fixed_point(const TupleMap& f, const std::vector<at::Tensor>& z0,
                                              const FixedPointOptions& options) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  const Packing packing(z0);
  Solution<at::Tensor> packed = fixed_point(packing.pack(f), packing.pack(z0), options);
  return {packing.unpack(packed.value), std::move(packed.stats)};
}

}  // namespace stillpoint
