#include "optim/sparse/solve_sparse.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "optim/qp/homogeneous.h"
#include "optim/sparse/sparse_adjoint.h"
#include "optim/sparse/sparse_polish.h"
#include "optim/sparse/sparse_scaled.h"

namespace stillpoint::detail {
namespace {

using optim::ProgramStatus;

bool finite(const SparseInstance& program) {
  for (const Vector* v :
       {&program.q.value, &program.a.value, &program.g.value, &program.p, &program.b, &program.h}) {
    if (!std::all_of(v->begin(), v->end(), [](double x) { return std::isfinite(x); })) return false;
  }
  return true;
}

bool is_convex(const CompressedRows& q, double rounding) {
  const double slight = rounding * largest(q.value);
  if (slight == 0.0) return true;
  QuasiDefinite factor(q, CompressedRows(0, q.cols));
  return factor.factorize(slight, {}) && factor.has_right_inertia();
}

struct Solved {
  Outcome outcome;
  std::shared_ptr<const ActiveSet> set = {};
};

// From the inside: the iterate is polished once the active rows usually show, and again at the end.
Solved solve_inside(const SparseInstance& program, const Scales& scales, const InstanceOptions& options) {
  const SparseScaled form(program);
  Solved early;
  Outcome outcome =
      solve_homogeneous(form.system(), form.p(), form.d(), options, [&](const Outcome& iterate) {
        early.outcome = iterate;
        form.undo(early.outcome);
        early.set = polish(program, scales, options, Patience::Early, early.outcome);
        return early.set != nullptr;
      });
  if (early.set != nullptr) return early;
  form.undo(outcome);
  const ProgramStatus found = outcome.status;
  if (found == ProgramStatus::Infeasible || found == ProgramStatus::Unbounded) {
    outcome.error = no_measure();
    return {std::move(outcome)};
  }
  outcome.error = measure(program, outcome.point, scales.sizes(program, outcome.point));
  auto set = polish(program, scales, options, Patience::Last, outcome);
  if (set == nullptr && found == ProgramStatus::IterationLimit) outcome.status = found;
  return {std::move(outcome), std::move(set)};
}

Solved solve_numbers(const SparseInstance& program, const InstanceOptions& options,
                     const std::optional<Outcome>& start) {
  if (!finite(program)) return {no_point(program, ProgramStatus::NotFinite)};
  if (!is_convex(program.q, options.negative)) return {no_point(program, ProgramStatus::NotConvex)};
  const Scales scales(program);
  if (start) {
    Outcome again = *start;
    auto set = polish(program, scales, options, Patience::Early, again);
    if (set != nullptr && is_unique(again, /*definite=*/false)) return {std::move(again), std::move(set)};
  }
  return solve_inside(program, scales, options);
}

void check_matrix(const char* name, const at::Tensor& t) {
  if (!t.defined()) return;
  TORCH_CHECK(t.layout() == at::kSparseCsr, name,
              ": expected a sparse CSR tensor, as another matrix of the program is sparse, got layout ",
              t.layout());
  TORCH_CHECK(t.dim() == 2, name, ": expected 2 dimensions, since sparse programs have no batch, got shape ",
              t.sizes());
  TORCH_CHECK(t.scalar_type() == at::kDouble && t.is_cpu(), name,
              ": expected a sparse matrix in double on the CPU, got ", t.scalar_type(), " on ", t.device());
}

void check_vector(const char* name, const at::Tensor& t) {
  if (!t.defined()) return;
  TORCH_CHECK(t.layout() == at::kStrided && t.dim() == 1, name,
              ": expected a dense tensor with 1 dimension, since sparse programs have no batch, got layout ",
              t.layout(), ", shape ", t.sizes());
}

bool not_dense(const at::Tensor& t) { return t.defined() && t.layout() != at::kStrided; }

}  // namespace

bool is_sparse(const optim::QuadraticProgram& program) {
  return not_dense(program.Q) || not_dense(program.G) || not_dense(program.A);
}

void check_sparse(const optim::QuadraticProgram& program, const QuadraticProgramOptions& options) {
  check_sparse_support();
  check_matrix("Q", program.Q);
  check_matrix("G", program.G);
  check_matrix("A", program.A);
  check_vector("p", program.p);
  check_vector("h", program.h);
  check_vector("b", program.b);
  check_vector("lower", program.lower);
  check_vector("upper", program.upper);
  TORCH_CHECK(std::holds_alternative<std::monostate>(options.smoothing),
              "smoothing: expected none with sparse parts; add a ridge to Q yourself");
  TORCH_CHECK(options.on_infeasible != optim::OnInfeasible::ClosestFeasible,
              "on_infeasible: expected no ClosestFeasible with sparse parts");
}

SolvedProgram solve_sparse(const optim::QuadraticProgram& program, const ProgramBatch& batch,
                           const InstanceOptions& options, const WarmStart* start) {
  auto sample = std::make_shared<const SparseSample>(program, batch);
  SolvedProgram own;
  own.sample.row = sample->row;
  own.sample.fixed = sample->fixed;
  const std::optional<Outcome> from = start != nullptr ? start->sample(0, own.sample) : std::nullopt;
  Solved solved = solve_numbers(sample->program, options, from);
  own.outcome = std::move(solved.outcome);
  if (solved.set != nullptr) {
    const StateLayout layout{batch.unknowns(), batch.rows(), batch.equalities()};
    own.system = std::make_shared<const SparseAdjoint>(std::move(sample), std::move(solved.set), layout);
  }
  return own;
}

}  // namespace stillpoint::detail
