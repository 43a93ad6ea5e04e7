#include "stillpoint/equations/solvers/peaceman_rachford.h"

#include <c10/util/Exception.h>

#include "core/check.h"
#include "core/rows/rows.h"
#include "equations/monotone_parts.h"

namespace stillpoint {

void PeacemanRachford::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(!step || *step > 0.0, "PeacemanRachford.step: expected a number > 0, got ", *step);
  const MonotoneMap& parts = detail::monotone_parts(f, "PeacemanRachford");
  TORCH_CHECK(parts.resolvent != nullptr,
              "f: PeacemanRachford needs MonotoneMap.resolvent, got an empty one");
  const double scale = step || !parts.scale ? 1.0 : parts.scale();
  TORCH_CHECK(scale > 0.0, "f: expected MonotoneMap.scale() > 0, got ", scale);
  const Map resolvent = parts.resolvent(step.value_or(1.0 / scale));
  detail::Recycler recycler;
  at::Tensor z = z0;
  at::Tensor u = z0;
  while (monitor.update(z, f(z))) {
    const at::Tensor reflected = detail::damp(u, z, 2.0, recycler);  // 2 z − u
    const at::Tensor resolved = resolvent(reflected);
    detail::check_like("MonotoneMap.resolvent", resolved, z);
    u = detail::damp(reflected, resolved.contiguous(), 2.0, recycler);
    z = f.evaluate_part(parts.activation, u);
  }
}

}  // namespace stillpoint
