#include "stillpoint/linear/solvers/automatic.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "core/rows/rows.h"
#include "linear/half_precision.h"
#include "linear/solve_rest.h"
#include "linear/solvers/neumann_iteration.h"
#include "linear/vectors.h"
#include "stillpoint/linear/solvers/cg.h"
#include "stillpoint/linear/solvers/dense_lu.h"
#include "stillpoint/linear/solvers/gmres.h"

namespace stillpoint {
namespace {

constexpr std::int64_t kRateSteps = 3;  // over which the rate of convergence is measured

// Watches the worst sample's distance to its target, in powers of e, and extrapolates.
class Forecast {
 public:
  Forecast(const ResolvedTolerance& tolerance, std::int64_t patience)
      : tolerance_(tolerance), patience_(patience) {}

  bool promising(const Monitor& monitor, const RowNorms& norms) {
    double worst = 0.0;
    for (std::size_t b = 0; b < norms.residual.size(); ++b) {
      if (!monitor.running(b) || !std::isfinite(norms.residual[b])) continue;  // a failure says nothing
      const double target = tolerance_.allowed(norms.scale[b]);
      worst = std::max(worst, std::log(norms.residual[b] / target));
    }
    distances_.push_back(worst);
    const auto steps = static_cast<std::int64_t>(distances_.size());
    if (steps <= kRateSteps) return true;
    const double rate = (distances_[steps - 1 - kRateSteps] - worst) / kRateSteps;
    return rate > 0.0 && static_cast<double>(steps) + worst / rate <= static_cast<double>(patience_);
  }

 private:
  ResolvedTolerance tolerance_;
  std::int64_t patience_;
  std::vector<double> distances_;
};

Solution<at::Tensor> neumann_while_promising(const LinearOperator& a, const at::Tensor& b,
                                             const at::Tensor& x0, const ResolvedTolerance& tolerance,
                                             std::int64_t patience) {
  Forecast forecast(tolerance, patience);
  return detail::neumann_iteration(
      a, b, x0, tolerance, patience,
      [&](const Monitor& monitor, const RowNorms& norms) { return forecast.promising(monitor, norms); });
}

// Whether vectors that are zero in some samples lead to ones that are not. Both ways between even and odd
// ones, which finds whatever connects neighbors in some order, too.
bool mixes_samples(const LinearOperator& a, const at::Tensor& like, Stats& stats) {
  const at::Tensor numbers = at::arange(1, like.numel() + 1, like.options()).cos().view(like.sizes());
  for (const std::uint8_t parity : {0, 1}) {
    Mask chosen(like.size(0));
    for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = i % 2 == parity;
    const at::Tensor zero = at::zeros_like(numbers);
    const at::Tensor product = a.product(detail::select_rows(chosen, numbers, zero));
    ++stats.evaluations;
    if (detail::select_rows(chosen, zero, product).count_nonzero().item<std::int64_t>() > 0) return true;
  }
  return false;
}

// The batch as one system. Its tolerance is relative to the whole of b.
Solution<at::Tensor> solve_as_one(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                  const ResolvedTolerance& tolerance) {
  LinearOperator whole = a;
  whole.product = [&](const at::Tensor& v) { return a.product(v.view(b.sizes())).reshape({1, -1}); };
  Solution<at::Tensor> solution = Gmres{}.solve(whole, b.reshape({1, -1}), x0.reshape({1, -1}), tolerance);
  Stats& stats = solution.stats;
  solution.value = solution.value.view(b.sizes());
  stats.method = "Gmres on the whole batch";
  stats.status.assign(b.size(0), stats.status[0]);
  stats.iterations.assign(b.size(0), stats.iterations[0]);
  stats.residual = detail::row_norms(detail::residual(a, b, solution.value), tolerance.norm);
  ++stats.evaluations;
  return solution;
}

}  // namespace

Solution<at::Tensor> AutomaticLinearSolver::solve(const LinearOperator& a, const at::Tensor& b,
                                                  const at::Tensor& x0,
                                                  const ResolvedTolerance& tolerance) const {
  TORCH_CHECK(patience >= 0, "AutomaticLinearSolver.patience: expected ≥ 0, got ", patience);
  TORCH_CHECK(dense_width >= 0, "AutomaticLinearSolver.dense_width: expected ≥ 0, got ", dense_width);
  if (detail::is_half_precision(b.scalar_type())) return detail::solve_widened(*this, a, b, x0, tolerance);
  if (a.structure == Structure::PositiveDefinite) return Cg{}.solve(a, b, x0, tolerance);

  Solution<at::Tensor> cheap = a.structure == Structure::Symmetric
                                   ? Cg{.max_iterations = patience}.solve(a, b, x0, tolerance)
                                   : neumann_while_promising(a, b, x0, tolerance, patience);
  if (cheap.stats.converged()) return cheap;

  const LinearSolver strong =
      detail::row_width(b) <= dense_width ? LinearSolver(DenseLu{}) : LinearSolver(Gmres{});
  Solution<at::Tensor> rest = detail::solve_rest(strong, a, b, tolerance, cheap);
  if (rest.stats.converged() || rest.stats.count(Status::NonFinite) > 0) return rest;

  if (!mixes_samples(a, b, rest.stats)) return rest;
  Solution<at::Tensor> whole = solve_as_one(a, b, rest.value, tolerance);
  if (!whole.stats.converged()) {  // mixing was not what failed
    rest.stats.evaluations += whole.stats.evaluations;
    return rest;
  }
  detail::add_effort(whole.stats, rest.stats);
  return whole;
}

}  // namespace stillpoint
