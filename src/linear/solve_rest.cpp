#include "linear/solve_rest.h"

#include <ATen/Functions.h>

#include <vector>

#include "core/rows/rows.h"
#include "linear/vectors.h"

namespace stillpoint {
namespace {

// `first` for the samples that it solved, bit by bit, else `second`.
at::Tensor first_where_solved(const Stats& first_stats, const at::Tensor& first, const at::Tensor& second) {
  return detail::select_rows(first_stats.where(Status::Converged), first, second);
}

}  // namespace

void detail::add_effort(Stats& stats, const Stats& earlier) {
  stats.method = earlier.method + ", then " + stats.method;
  stats.evaluations += earlier.evaluations;
  for (std::size_t b = 0; b < stats.iterations.size(); ++b) stats.iterations[b] += earlier.iterations[b];
}

Solution<at::Tensor> detail::solve_rest(const LinearSolver& solver, const LinearOperator& a,
                                        const at::Tensor& b, const ResolvedTolerance& tolerance,
                                        const Solution<at::Tensor>& earlier) {
  const at::Tensor zero = at::zeros_like(b);
  Solution<at::Tensor> rest = solver.solve(a, first_where_solved(earlier.stats, zero, b),
                                           first_where_solved(earlier.stats, zero, earlier.value), tolerance);
  rest.value = first_where_solved(earlier.stats, earlier.value, rest.value);
  for (std::size_t i = 0; i < rest.stats.iterations.size(); ++i) {
    if (earlier.stats.status[i] == Status::Converged) rest.stats.iterations[i] = 0;
  }
  add_effort(rest.stats, earlier.stats);
  confirm(a, b, tolerance, rest);
  return rest;
}

}  // namespace stillpoint
