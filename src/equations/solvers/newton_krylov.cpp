#include "stillpoint/equations/solvers/newton_krylov.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>

#include "core/rows/rows.h"
#include "equations/solvers/step_search.h"
#include "linear/half_precision.h"
#include "stillpoint/equations/linearization.h"

namespace stillpoint {
namespace {

// The relative tolerance of each sample's next inner solve.
class Forcing {
 public:
  Forcing(double loosest, const Monitor& monitor)
      : loosest_(loosest), monitor_(monitor), terms_(monitor.running().size(), loosest) {}

  const std::vector<double>& terms() const { return terms_; }

  void advance(const RowNorms& now, const RowNorms& before) {
    const double alpha = (1.0 + std::sqrt(5.0)) / 2.0;
    for (std::size_t b = 0; b < terms_.size(); ++b) {
      double term = 0.9 * std::pow(now.residual[b] / before.residual[b], alpha);
      const double remembered = 0.9 * std::pow(terms_[b], alpha);
      if (remembered > 0.1) term = std::max(term, remembered);
      // No more than the outer tolerance needs (Kelley 1995, equation 6.20).
      term = std::max(term, 0.5 * monitor_.allowed(b, now.scale[b]) / now.residual[b]);
      terms_[b] = std::isfinite(term) ? std::min(term, loosest_) : loosest_;
    }
  }

 private:
  double loosest_;
  const Monitor& monitor_;
  std::vector<double> terms_;
};

// The inexact Newton step. A right-hand side is scaled such that the tolerance of its sample becomes 1: so
// one solve serves the batch, and no sample depends on what another asks for. Finished samples ask for
// nothing.
at::Tensor inexact_step(const LinearSolver& solver, Linearization& here, const RowNorms& norms,
                        const std::vector<double>& forcing, const Monitor& monitor) {
  const at::ScalarType dtype = here.residual().scalar_type();
  const at::Tensor r = detail::widened(here.residual());
  std::vector<double> scale(forcing.size(), 1.0);
  for (std::size_t b = 0; b < scale.size(); ++b) {
    const double target = forcing[b] * norms.residual[b];
    if (std::isfinite(target) && target > 0.0) scale[b] = 1.0 / target;
  }
  const at::Tensor column = detail::to_column(scale, r);
  const at::Tensor rhs = detail::select_rows(monitor.running(), r * column, at::zeros_like(r));
  const ResolvedTolerance one{.relative = 0.0, .absolute = 1.0, .norm = monitor.tolerance().norm};
  const LinearOperator a = detail::widened(here.forward(), dtype);
  return detail::narrowed(solver.solve(a, rhs, {}, one).value / column, dtype);
}

}  // namespace

void NewtonKrylov::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(max_forcing > 0.0 && max_forcing < 1.0,
              "NewtonKrylov.max_forcing: expected a number in (0, 1), got ", max_forcing);
  TORCH_CHECK(max_halvings >= 0, "NewtonKrylov.max_halvings: expected ≥ 0, got ", max_halvings);
  Forcing forcing(max_forcing, monitor);
  detail::LinearizedPoint point(f, z0, monitor);
  while (monitor.update(point.z, point.norms)) {
    const RowNorms before = point.norms;
    const at::Tensor step =
        inexact_step(linear_solver, *point.linearization, before, forcing.terms(), monitor);
    detail::search_step(f, monitor, {step}, max_halvings, point);
    forcing.advance(point.norms, before);
  }
}

}  // namespace stillpoint
