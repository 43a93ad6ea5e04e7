#include "stillpoint/equations/solvers/picard.h"

#include <c10/util/Exception.h>

#include <utility>

#include "core/rows/rows.h"

namespace stillpoint {

void Picard::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(damping > 0.0 && damping <= 1.0, "Picard.damping: expected a number in (0, 1], got ", damping);
  detail::Recycler recycler;
  at::Tensor z = z0;
  while (true) {
    at::Tensor fz = f(z);
    at::Tensor damped;
    if (damping != 1.0) damped = detail::damp(z, fz, damping, recycler);
    if (!monitor.update(std::move(z), fz)) return;
    z = std::move(damped.defined() ? damped : fz);
  }
}

}  // namespace stillpoint
