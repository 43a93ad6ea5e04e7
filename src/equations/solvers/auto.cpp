#include "stillpoint/equations/solvers/auto.h"

#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>

#include "core/rows/rows.h"
#include "stillpoint/equations/solvers/anderson.h"
#include "stillpoint/equations/solvers/dogleg.h"
#include "stillpoint/equations/solvers/newton.h"
#include "stillpoint/equations/solvers/newton_krylov.h"

namespace stillpoint {

void Auto::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse) const {
  TORCH_CHECK(window >= 1, "Auto.window: expected ≥ 1, got ", window);
  TORCH_CHECK(dense_width >= 0, "Auto.dense_width: expected ≥ 0, got ", dense_width);
  const bool dense = detail::row_width(z0) <= dense_width;
  const FixedPointSolver newton = dense ? FixedPointSolver(Newton{}) : FixedPointSolver(NewtonKrylov{});
  const FixedPointSolver first = f.form() == Form::FixedPoint ? FixedPointSolver(Anderson{}) : newton;
  const FixedPointSolver second = dense ? FixedPointSolver(Dogleg{}) : FixedPointSolver(NewtonKrylov{});

  monitor.describe(c10::str("Auto (", first.name(), ")"));
  monitor.park_stalled(window);
  first.solve(f, z0, monitor, inverse);
  const std::int64_t parked = monitor.resume();
  if (parked == 0) return;
  monitor.describe(c10::str("Auto (", first.name(), ", then ", second.name(), " for ", parked, " of ",
                            z0.size(0), " samples)"));
  second.solve(f, monitor.best(), monitor, inverse);
}

}  // namespace stillpoint
