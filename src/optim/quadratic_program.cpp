#include "stillpoint/optim/quadratic_program.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "optim/qp/kkt_adjoint.h"
#include "optim/qp/program_batch.h"
#include "optim/qp/solve_instance.h"
#include "stillpoint/autograd/implicit.h"

namespace stillpoint {
namespace {

using detail::ProgramBatch;
using detail::SolvedProgram;
using optim::ProgramStatus;

detail::InstanceOptions instance_options(const QuadraticProgramOptions& options, c10::ScalarType dtype) {
  const bool is_double = dtype == at::kDouble;
  detail::InstanceOptions resolved;
  resolved.tolerance = options.tolerance.value_or(is_double ? 1e-9 : 1e-7);
  resolved.rounding = is_double ? 1e-10 : 1e-6;
  resolved.max_iterations = options.solver.max_iterations;
  TORCH_CHECK(resolved.tolerance > 0.0, "tolerance: expected a number > 0, got ", resolved.tolerance);
  TORCH_CHECK(resolved.max_iterations >= 1, "solver.max_iterations: expected ≥ 1, got ",
              resolved.max_iterations);
  return resolved;
}

std::vector<SolvedProgram> solve_all(const optim::QuadraticProgram& program, const ProgramBatch& batch,
                                     const detail::InstanceOptions& options) {
  const detail::ProgramNumbers numbers(program, batch);
  std::vector<SolvedProgram> solved(batch.size());
  at::parallel_for(0, batch.size(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      solved[i].sample = numbers.sample(i);
      solved[i].outcome = detail::solve_instance(solved[i].sample.program, options);
    }
  });
  return solved;
}

// Whether the point is one of the program, if not a solution.
bool has_point(ProgramStatus status) {
  return status == ProgramStatus::Optimal || status == ProgramStatus::Inaccurate ||
         status == ProgramStatus::IterationLimit;
}

bool proven_infeasible(ProgramStatus status) { return status == ProgramStatus::Infeasible; }

// Rows [x; w; y] of the samples whose status is as wanted. Others have zeros, and w of −1 as rows have that
// constrain nothing.
template <class Wanted>
at::Tensor states(const std::vector<SolvedProgram>& solved, const ProgramBatch& batch, Wanted&& wanted) {
  at::Tensor state = at::zeros({batch.size(), batch.width()}, at::kDouble);
  state.narrow(1, batch.unknowns(), batch.rows()).fill_(-1.0);
  for (std::int64_t i = 0; i < batch.size(); ++i) {
    const detail::Point& point = solved[i].outcome.point;
    if (!wanted(solved[i].outcome.status)) continue;
    double* to = state.data_ptr<double>() + i * batch.width();
    std::copy(point.x.begin(), point.x.end(), to);
    for (std::size_t r = 0; r < point.z.size(); ++r)
      to[batch.unknowns() + solved[i].sample.row[r]] = point.z[r] - point.s[r];
    std::copy(point.y.begin(), point.y.end(), to + batch.unknowns() + batch.rows());
  }
  return state.to(batch.options());
}

// Added to all that a sample returns: NaN where there is no solution, and no point on the way to one.
at::Tensor nothing_there(const std::vector<SolvedProgram>& solved, const ProgramBatch& batch) {
  at::Tensor nothing = at::zeros({batch.size(), 1}, at::kDouble);
  for (std::int64_t i = 0; i < batch.size(); ++i) {
    if (!has_point(solved[i].outcome.status)) nothing.data_ptr<double>()[i] = std::nan("");
  }
  return nothing.to(batch.options());
}

at::Tensor rays(const std::vector<SolvedProgram>& solved, const ProgramBatch& batch) {
  const auto unbounded = [](ProgramStatus status) { return status == ProgramStatus::Unbounded; };
  return states(solved, batch, unbounded).narrow(1, 0, batch.unknowns()).clone();
}

optim::ProgramStats report(const std::vector<SolvedProgram>& solved) {
  optim::ProgramStats stats;
  stats.method = "InteriorPoint";
  for (Mask* marks : {&stats.weakly_active, &stats.dual_not_unique, &stats.primal_not_unique})
    *marks = Mask(solved.size());
  for (std::size_t i = 0; i < solved.size(); ++i) {
    const detail::Outcome& outcome = solved[i].outcome;
    stats.status.push_back(outcome.status);
    stats.primal_residual.push_back(outcome.error.primal);
    stats.dual_residual.push_back(outcome.error.dual);
    stats.gap.push_back(outcome.error.gap);
    stats.iterations.push_back(outcome.iterations);
    stats.weakly_active[i] = outcome.weakly_active;
    stats.dual_not_unique[i] = outcome.dual_not_unique;
    stats.primal_not_unique[i] = outcome.primal_not_unique;
  }
  stats.backward = std::make_shared<Stats>();
  return stats;
}

// Cuts states into what they consist of.
struct StateParts {
  at::Tensor x, z, s, y;

  StateParts(const at::Tensor& state, const ProgramBatch& batch) {
    const std::int64_t n = batch.unknowns();
    x = state.narrow(1, 0, n);
    const at::Tensor w = state.narrow(1, n, batch.rows());
    z = w.clamp_min(0);
    s = z - w;
    y = state.narrow(1, n + batch.rows(), batch.equalities());
  }
};

}  // namespace

optim::ProgramSolution quadratic_program(const optim::QuadraticProgram& program,
                                         const QuadraticProgramOptions& options) {
  const auto batch = std::make_shared<const ProgramBatch>(program);
  const detail::InstanceOptions resolved = instance_options(options, batch->options().dtype().toScalarType());
  const auto solved =
      std::make_shared<const std::vector<SolvedProgram>>(solve_all(program, *batch, resolved));

  optim::ProgramSolution solution;
  solution.stats = report(*solved);
  const detail::KktAdjoint adjoint(solved, {batch->unknowns(), batch->rows(), batch->equalities()});
  const Condition condition = Condition([batch](const at::Tensor& state) {
                                return batch->residual(state);
                              }).stated(Form::Root, "program");
  const at::Tensor state =
      implicit(condition, states(*solved, *batch, has_point),
               {.solver = adjoint, .on_failure = options.on_failure}, solution.stats.backward);

  const std::int64_t m = batch->general_rows();
  const std::int64_t lower = batch->lower_rows();
  const StateParts parts(state + nothing_there(*solved, *batch), *batch);
  solution.x = parts.x;
  solution.z = parts.z.narrow(1, 0, m);
  solution.y = parts.y;
  solution.lower = parts.z.narrow(1, m, lower);
  solution.upper = parts.z.narrow(1, m + lower, batch->upper_rows());
  const double infinity = std::numeric_limits<double>::infinity();
  solution.slack = parts.s.narrow(1, 0, m).masked_fill(batch->open().narrow(1, 0, m), infinity);

  const StateParts proof(states(*solved, *batch, proven_infeasible), *batch);
  solution.certificate = {proof.z.narrow(1, 0, m), proof.y, proof.z.narrow(1, m, lower),
                          proof.z.narrow(1, m + lower, batch->upper_rows())};
  solution.ray = rays(*solved, *batch);
  report_failure(solution.stats, options.on_failure);
  return solution;
}

}  // namespace stillpoint
