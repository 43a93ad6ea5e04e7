#include "stillpoint/linear/solvers/gmres.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "linear/half_precision.h"
#include "linear/solvers/hessenberg.h"
#include "linear/solvers/krylov_bases.h"
#include "linear/solvers/patience.h"
#include "linear/vectors.h"
#include "stillpoint/core/monitor.h"

namespace stillpoint {
namespace {

// The cycles of one solve.
class Cycles {
 public:
  /// Of at most `size` products each. A sample leaves its cycle when its residual has come down to `target`.
  Cycles(const LinearOperator& a, const at::Tensor& like, std::int64_t size, std::vector<double> target)
      : a_(a), bases_(like, size), size_(size), target_(std::move(target)), iterations_(target_.size(), 0) {}

  /// Where one cycle of the running samples leads from x, which has the residual r, in at most `limit`
  /// products.
  at::Tensor run(const at::Tensor& x, const at::Tensor& r, Mask running, std::int64_t limit) {
    limit = std::min(limit, size_);
    // The residual is brought near to 1, so that no coefficient is too large for the dtype.
    const std::vector<double> unit = detail::power_units(detail::row_norms(r, Norm::RootMeanSquare));
    const at::Tensor scaled = r / detail::to_column(unit, r);
    std::vector<double> length = detail::row_norms(scaled, Norm::Euclidean);
    std::vector<detail::HessenbergProblem> problems;
    problems.reserve(length.size());
    for (std::size_t b = 0; b < length.size(); ++b) {
      if (!running[b] || !std::isfinite(length[b])) length[b] = 0.0;
      problems.emplace_back(limit, length[b]);
    }
    bases_.start(scaled, length);
    while (bases_.count() <= limit && running.any()) {
      bases_.append(a_.mv(bases_.newest()), running);
      ++products_;
      for (std::size_t b = 0; b < running.size(); ++b) {
        if (running[b]) running[b] = goes_on(b, unit[b], problems[b]);
      }
    }
    const std::size_t count = bases_.count() - 1;
    std::vector<double> y(problems.size() * count, 0.0);
    for (std::size_t b = 0; b < problems.size(); ++b) problems[b].solve(&y[b * count]);
    return at::addcmul(x, detail::to_column(unit, x), bases_.combine(y));
  }

  std::int64_t products() const { return products_; }
  /// Of each sample.
  const std::vector<std::int64_t>& iterations() const { return iterations_; }

 private:
  // Has the sample's problem take in what the latest product has given.
  bool goes_on(std::size_t b, double unit, detail::HessenbergProblem& problem) {
    const std::span<const double> column = bases_.column(static_cast<std::int64_t>(b));
    const double residual = unit * problem.append(column);
    ++iterations_[b];
    const bool invariant = column.back() == 0.0;  // the basis holds the solution, or never will
    return residual > target_[b] && !invariant;   // NaN ends it, too
  }

  const LinearOperator& a_;
  detail::KrylovBases bases_;
  std::int64_t size_;
  std::vector<double> target_;
  std::int64_t products_ = 0;
  std::vector<std::int64_t> iterations_;
};

// What the Euclidean norm of a residual may be: the recurrence knows that one, and it bounds the others.
std::vector<double> targets(const ResolvedTolerance& tolerance, const std::vector<double>& scale,
                            std::int64_t width) {
  std::vector<double> target = scale;
  for (double& number : target) {
    number = tolerance.allowed(number) / detail::scale_norm(1.0, tolerance.norm, width);
  }
  return target;
}

}  // namespace

Solution<at::Tensor> Gmres::solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                  const ResolvedTolerance& tolerance) const {
  TORCH_CHECK(restart >= 1, "Gmres.restart: expected ≥ 1, got ", restart);
  TORCH_CHECK(max_iterations >= 0, "Gmres.max_iterations: expected ≥ 0, got ", max_iterations);
  if (detail::is_half_precision(b.scalar_type())) return detail::solve_widened(*this, a, b, x0, tolerance);
  const std::int64_t width = detail::row_width(b);
  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  stats.method = "Gmres";
  Monitor monitor(tolerance, std::numeric_limits<std::int64_t>::max(), b.size(0));
  RowNorms norms;
  norms.scale = detail::right_side_norms(b, tolerance.norm);
  auto [x, r] = detail::start_from(a, b, x0, stats);
  norms.residual = detail::row_norms(r, tolerance.norm);
  const std::int64_t size = std::max<std::int64_t>(1, std::min(restart, width));
  Cycles cycles(a, b, size, targets(tolerance, norms.scale, width));
  detail::Patience patience(max_iterations, size, norms.residual,
                            detail::rounding_of(norms.scale, b.scalar_type()));
  while (monitor.update(x, norms) && cycles.products() < max_iterations) {
    const Mask going_on = patience.others(monitor.running());
    if (!going_on.any()) break;
    x = cycles.run(x, r, going_on, max_iterations - cycles.products());
    r = detail::residual(a, b, x);
    ++stats.evaluations;
    norms.residual = detail::row_norms(r, tolerance.norm);
    if (cycles.products() < max_iterations) patience.judge(norms.residual, cycles.iterations());
  }
  stats.evaluations += cycles.products();
  solution.value = monitor.best();
  monitor.write(stats);
  stats.iterations = cycles.iterations();
  patience.write(stats);
  return solution;
}

}  // namespace stillpoint
