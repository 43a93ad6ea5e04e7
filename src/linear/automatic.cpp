#include "stillpoint/linear/automatic.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "core/rows.h"
#include "linear/neumann_iteration.h"
#include "linear/vectors.h"
#include "stillpoint/linear/cg.h"
#include "stillpoint/linear/dense_lu.h"
#include "stillpoint/linear/gmres.h"

namespace stillpoint {
namespace {

constexpr std::int64_t kRateSteps = 3;  // over which the rate of convergence is measured

// Watches the worst sample's distance to its target, in powers of e, and extrapolates.
class Forecast {
 public:
  Forecast(const Tolerance& tolerance, std::int64_t patience) : tolerance_(tolerance), patience_(patience) {}

  bool promising(const Monitor& monitor, const RowNorms& norms) {
    double worst = 0.0;
    for (std::size_t b = 0; b < norms.residual.size(); ++b) {
      if (!monitor.running(b)) continue;
      const double target = *tolerance_.absolute + *tolerance_.relative * norms.scale[b];
      worst = std::max(worst, std::log(norms.residual[b] / target));
    }
    distances_.push_back(worst);
    const auto steps = static_cast<std::int64_t>(distances_.size());
    if (steps <= kRateSteps) return true;
    const double rate = (distances_[steps - 1 - kRateSteps] - worst) / kRateSteps;
    return rate > 0.0 && static_cast<double>(steps) + worst / rate <= static_cast<double>(patience_);
  }

 private:
  Tolerance tolerance_;
  std::int64_t patience_;
  std::vector<double> distances_;
};

// The effort of an earlier attempt counts, too.
void add_effort(Stats& stats, const Stats& earlier) {
  stats.method = earlier.method + ", then " + stats.method;
  stats.evaluations += earlier.evaluations;
  for (std::size_t b = 0; b < stats.iterations.size(); ++b) stats.iterations[b] += earlier.iterations[b];
}

// Solves for the samples that `cheap` did not, and leaves the others as they are, bit by bit.
Solution<at::Tensor> solve_rest(const LinearSolver& solver, const LinearOperator& a, const at::Tensor& b,
                                const Tolerance& tolerance, const Solution<at::Tensor>& cheap) {
  const std::size_t batch = cheap.stats.status.size();
  std::vector<std::uint8_t> solved(batch);
  for (std::size_t i = 0; i < batch; ++i) solved[i] = cheap.stats.status[i] == Status::Converged;
  const at::Tensor zero = at::zeros_like(b);
  Solution<at::Tensor> rest = solver.solve(a, detail::select_rows(solved, zero, b),
                                           detail::select_rows(solved, zero, cheap.value), tolerance);
  rest.value = detail::select_rows(solved, cheap.value, rest.value);
  for (std::size_t i = 0; i < batch; ++i) {
    if (solved[i]) rest.stats.iterations[i] = 0;
  }
  add_effort(rest.stats, cheap.stats);
  detail::confirm(a, b, tolerance, rest);
  return rest;
}

// The batch as one system: right where the products mix samples. Its tolerance is relative to the whole of b.
Solution<at::Tensor> solve_as_one(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                  const Tolerance& tolerance) {
  LinearOperator whole = a;
  whole.product = [&](const at::Tensor& v) { return a.product(v.view(b.sizes())).reshape({1, -1}); };
  Solution<at::Tensor> solution =
      Gmres{}.solve(whole, b.reshape({1, -1}), x0.contiguous().view({1, -1}), tolerance);
  Stats& stats = solution.stats;
  solution.value = solution.value.view(b.sizes());
  stats.method = "Gmres on the whole batch";
  stats.status.assign(b.size(0), stats.status[0]);
  stats.iterations.assign(b.size(0), stats.iterations[0]);
  stats.residual = detail::row_norms(b - a.mv(solution.value), tolerance.norm);
  ++stats.evaluations;
  return solution;
}

}  // namespace

Solution<at::Tensor> AutomaticLinearSolver::solve(const LinearOperator& a, const at::Tensor& b,
                                                  const at::Tensor& x0, const Tolerance& tolerance) const {
  TORCH_CHECK(patience >= 0, "AutomaticLinearSolver.patience: expected ≥ 0, got ", patience);
  TORCH_CHECK(dense_width >= 0, "AutomaticLinearSolver.dense_width: expected ≥ 0, got ", dense_width);
  if (a.structure == Structure::PositiveDefinite) return Cg{}.solve(a, b, x0, tolerance);

  Forecast forecast(tolerance, patience);
  Solution<at::Tensor> cheap = detail::neumann_iteration(
      a, b, x0, tolerance, patience,
      [&](const Monitor& monitor, const RowNorms& norms) { return forecast.promising(monitor, norms); });
  if (cheap.stats.converged()) return cheap;

  const LinearSolver strong =
      detail::row_width(b) <= dense_width ? LinearSolver(DenseLu{}) : LinearSolver(Gmres{});
  Solution<at::Tensor> rest = solve_rest(strong, a, b, tolerance, cheap);
  if (rest.stats.converged() || rest.stats.count(Status::NonFinite) > 0) return rest;

  Solution<at::Tensor> whole = solve_as_one(a, b, cheap.value, tolerance);
  add_effort(whole.stats, rest.stats);
  return whole;
}

}  // namespace stillpoint
