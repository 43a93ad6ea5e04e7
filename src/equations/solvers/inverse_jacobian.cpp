#include "equations/solvers/inverse_jacobian.h"

#include <utility>

#include "linear/batched_solve.h"

namespace stillpoint {

at::Tensor detail::inverse_jacobian(const Linearization& here) {
  return inverse_or_pseudoinverse(here.dense(), here.residual());
}

Map detail::transposed_inverse(KeptFactor a) {
  return [a = std::move(a)](const at::Tensor& u) { return a.solve_transposed(u); };
}

Map detail::transposed_inverse_at(const Linearization& here) {
  if (here.residual().numel() == 0) return [](const at::Tensor& u) { return u; };
  return transposed_inverse(KeptFactor(here.dense(), here.residual()));
}

}  // namespace stillpoint
