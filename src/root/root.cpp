#include "stillpoint/root/root.h"

#include <c10/util/Exception.h>

#include "root/equation.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {

Solution<at::Tensor> root(const Map& g, const at::Tensor& z0, const RootOptions& options) {
  return detail::solve_equation(g, "g", Equation::Root, z0, detail::EquationOptions(options));
}

Solution<std::vector<at::Tensor>> root(const TupleMap& g, const std::vector<at::Tensor>& z0,
                                       const RootOptions& options) {
  TORCH_CHECK(g != nullptr, "g: expected a map, got an empty function");
  const Packing packing(z0);
  Solution<at::Tensor> packed = root(packing.pack(g), packing.pack(z0), options);
  return {packing.unpack(packed.value), std::move(packed.stats)};
}

}  // namespace stillpoint
