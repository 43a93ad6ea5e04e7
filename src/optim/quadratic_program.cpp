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
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "optim/closest_feasible.h"
#include "optim/qp/kkt_adjoint.h"
#include "optim/qp/program_batch.h"
#include "optim/qp/solve_instance.h"
#include "optim/qp/warm_start.h"
#include "optim/smoothed_program.h"
#include "optim/sparse/solve_sparse.h"
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
  resolved.negative = is_double ? 1e-10 : 1e-6;
  resolved.singular = is_double ? 1e-12 : 1e-6;
  resolved.definite = is_double ? 1e-8 : 1e-6;
  resolved.max_iterations = options.solver.max_iterations;
  TORCH_CHECK(resolved.tolerance > 0.0, "tolerance: expected a number > 0, got ", resolved.tolerance);
  TORCH_CHECK(resolved.max_iterations >= 1, "solver.max_iterations: expected ≥ 1, got ",
              resolved.max_iterations);
  return resolved;
}

bool drops_gradient(const QuadraticProgramOptions& options, ProgramStatus status) {
  return options.on_infeasible != optim::OnInfeasible::Nan && status == ProgramStatus::Infeasible;
}

std::vector<SolvedProgram> solve_all(const optim::QuadraticProgram& program, const ProgramBatch& batch,
                                     const QuadraticProgramOptions& options) {
  const detail::InstanceOptions resolved = instance_options(options, batch.options().dtype().toScalarType());
  std::optional<detail::WarmStart> start;
  if (options.warm_start && !batch.mu().defined()) start.emplace(*options.warm_start, batch);
  if (detail::is_sparse(program)) {
    std::vector<SolvedProgram> one{detail::solve_sparse(program, batch, resolved, start ? &*start : nullptr)};
    one[0].no_gradient = drops_gradient(options, one[0].outcome.status);
    return one;
  }
  const detail::ProgramNumbers numbers(program, batch);
  const at::Tensor mu =
      batch.mu().defined() ? batch.mu().detach().to(at::kCPU, at::kDouble) : at::zeros({1, 1}, at::kDouble);
  const bool records = batch.records();
  std::vector<SolvedProgram> solved(batch.size());
  at::parallel_for(0, batch.size(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      SolvedProgram& own = solved[i];
      own.sample = numbers.sample(i);
      const std::optional<detail::Outcome> from = start ? start->sample(i, own.sample) : std::nullopt;
      const double barrier = mu.data_ptr<double>()[mu.size(0) == 1 ? 0 : i];
      own.outcome = detail::solve_instance(own.sample.program, resolved, barrier, from ? &*from : nullptr);
      own.no_gradient = drops_gradient(options, own.outcome.status);
      if (!records) own.forget();
    }
  });
  return solved;
}

// Whether the point is one of the program, if not a solution.
bool has_point(ProgramStatus status) {
  return status == ProgramStatus::Optimal || status == ProgramStatus::Inaccurate ||
         status == ProgramStatus::IterationLimit;
}

template <class Wanted>
bool any(const std::vector<SolvedProgram>& solved, Wanted&& wanted) {
  return std::any_of(solved.begin(), solved.end(),
                     [&](const SolvedProgram& one) { return wanted(one.outcome.status); });
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
    std::copy_n(point.y.begin(), batch.equalities(), to + batch.unknowns() + batch.rows());
    std::size_t equation = batch.equalities();
    for (const detail::FixedUnknown& one : solved[i].sample.fixed) {
      const double dual = point.y[equation++];
      to[batch.unknowns() + one.upper_row] = std::max(0.0, dual);
      to[batch.unknowns() + one.lower_row] = std::max(0.0, -dual);
    }
  }
  return state.to(batch.options());
}

// NaN in all that a sample returns where there is no solution, and no point on the way to one.
at::Tensor without_point(const at::Tensor& state, const std::vector<SolvedProgram>& solved,
                         const ProgramBatch& batch) {
  if (!any(solved, [](ProgramStatus status) { return !has_point(status); })) return state;
  at::Tensor nothing = at::zeros({batch.size(), 1}, at::kDouble);
  for (std::int64_t i = 0; i < batch.size(); ++i) {
    if (!has_point(solved[i].outcome.status)) nothing.data_ptr<double>()[i] = std::nan("");
  }
  return state + nothing.to(batch.options());
}

at::Tensor rays(const std::vector<SolvedProgram>& solved, const ProgramBatch& batch) {
  const auto unbounded = [](ProgramStatus status) { return status == ProgramStatus::Unbounded; };
  if (!any(solved, unbounded)) return at::zeros({batch.size(), batch.unknowns()}, batch.options());
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

// The parts of a solution from those of states.
struct StateParts {
  at::Tensor x, z, lower, upper, y, slack;

  StateParts(const at::Tensor& state, const ProgramBatch& batch) {
    const std::int64_t n = batch.unknowns();
    const std::int64_t m = batch.general_rows();
    const auto [dual, gap] = batch.pair(state.narrow(1, n, batch.rows()));
    x = state.narrow(1, 0, n);
    z = dual.narrow(1, 0, m);
    lower = dual.narrow(1, m, batch.lower_rows());
    upper = dual.narrow(1, m + batch.lower_rows(), batch.upper_rows());
    y = state.narrow(1, n + batch.rows(), batch.equalities());
    const double infinity = std::numeric_limits<double>::infinity();
    slack = gap.narrow(1, 0, m).masked_fill(batch.open().narrow(1, 0, m), infinity);
  }
};

optim::Certificate certificates(const std::vector<SolvedProgram>& solved, const ProgramBatch& batch) {
  if (any(solved, proven_infeasible)) {
    const StateParts proof(states(solved, batch, proven_infeasible), batch);
    return {proof.z, proof.y, proof.lower, proof.upper};
  }
  const auto none = [&](std::int64_t width) { return at::zeros({batch.size(), width}, batch.options()); };
  return {none(batch.general_rows()), none(batch.equalities()), none(batch.lower_rows()),
          none(batch.upper_rows())};
}

// First-order backward passes need no product with the recorded operator where the adjoint knows its
// residual.
ImplicitRule rule_of(const optim::QuadraticProgram& program, const ProgramBatch& batch,
                     const detail::KktAdjoint& adjoint, OnFailure on_failure) {
  ImplicitRule rule{.solver = adjoint, .on_failure = on_failure};
  const at::TensorOptions options = batch.options();
  const bool known = !detail::is_sparse(program) && !batch.mu().defined() && options.device().is_cpu() &&
                     options.dtype() == at::kDouble;
  if (!known) return rule;
  rule.first_order = [adjoint](const LinearOperator& /*a*/, const at::Tensor& /*z*/, const at::Tensor& g,
                               const ResolvedTolerance& tolerance) {
    return adjoint.first_order(g, tolerance);
  };
  return rule;
}

}  // namespace

optim::ProgramSolution quadratic_program(const optim::QuadraticProgram& program,
                                         const QuadraticProgramOptions& options) {
  if (detail::is_sparse(program)) detail::check_sparse(program, options);
  if (const auto* ridge = std::get_if<optim::Ridge>(&options.smoothing)) {
    QuadraticProgramOptions plain = options;
    plain.smoothing = std::monostate();
    return quadratic_program(detail::with_ridge(program, *ridge), plain);
  }
  if (std::holds_alternative<optim::Perturbed>(options.smoothing))
    return detail::solve_perturbed(program, options);

  const auto batch = std::make_shared<const ProgramBatch>(program, options.smoothing);
  const auto solved = std::make_shared<const std::vector<SolvedProgram>>(solve_all(program, *batch, options));
  optim::ProgramSolution solution;
  solution.stats = report(*solved);
  const detail::KktAdjoint adjoint(solved, {batch->unknowns(), batch->rows(), batch->equalities()});
  const Condition condition = Condition([batch](const at::Tensor& state) {
                                return batch->residual(state);
                              }).stated(Form::Root, "program");
  const at::Tensor state =
      implicit(condition, states(*solved, *batch, has_point),
               rule_of(program, *batch, adjoint, options.on_failure), solution.stats.backward);
  const StateParts parts(without_point(state, *solved, *batch), *batch);
  solution.x = parts.x;
  solution.z = parts.z;
  solution.y = parts.y;
  solution.lower = parts.lower;
  solution.upper = parts.upper;
  solution.slack = parts.slack;
  solution.certificate = certificates(*solved, *batch);
  solution.ray = rays(*solved, *batch);
  if (options.on_infeasible == optim::OnInfeasible::ClosestFeasible)
    detail::fill_closest_feasible(program, options, solution);
  report_failure(solution.stats, options.on_failure);
  return solution;
}

}  // namespace stillpoint
