#include "optim/closest_feasible.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <limits>
#include <variant>
#include <vector>

#include "optim/qp/program_batch.h"

namespace stillpoint::detail {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// All inequalities as rows Cx ≤ d, each sample's own.
struct Rows {
  at::Tensor c, d;  // `[B, M, n]` and `[B, M]`

  Rows(const optim::QuadraticProgram& program, const ProgramBatch& batch) {
    const std::int64_t n = batch.unknowns();
    std::vector<at::Tensor> matrices{at::empty({batch.size(), 0, n}, batch.options())};
    std::vector<at::Tensor> sides{at::empty({batch.size(), 0}, batch.options())};
    const at::Tensor eye = at::eye(n, batch.options());
    const auto add = [&](const at::Tensor& matrix, const at::Tensor& side) {
      matrices.push_back(matrix.expand({batch.size(), -1, n}));
      sides.push_back(side.expand({batch.size(), -1}));
    };
    if (program.G.defined()) add(program.G, program.h);
    if (program.lower.defined()) add(-eye, -program.lower);
    if (program.upper.defined()) add(eye, program.upper);
    c = at::cat(matrices, 1);
    d = at::cat(sides, 1);
  }
};

// The smallest change of [d; b] with which there is a point: with C of all rows, min ½|λ|² + [d; b]'λ subject
// to C'λ = 0 and λ ≥ 0 for inequalities, the dual of the least-squares problem.
at::Tensor smallest_shift(const at::Tensor& c, const at::Tensor& d, const at::Tensor& a, const at::Tensor& b,
                          const QuadraticProgramOptions& options) {
  const at::Tensor open = d.detach() == kInfinite;
  const at::Tensor all = at::cat({c, a}, 1);
  const at::Tensor least = at::cat({at::zeros_like(d), at::full_like(b, -kInfinite)}, 1).detach();
  const at::Tensor most = at::zeros_like(d).detach().masked_fill(open.logical_not(), kInfinite);
  QuadraticProgramOptions plain;
  plain.solver = options.solver;
  plain.tolerance = options.tolerance;
  plain.on_failure = options.on_failure;
  const optim::ProgramSolution shift =
      quadratic_program({.Q = at::eye(all.size(1), all.options()),
                         .p = at::cat({d.masked_fill(open, 0.0), b}, 1),
                         .A = all.transpose(1, 2),
                         .b = at::zeros({all.size(2)}, all.options()),
                         .lower = least,
                         .upper = at::cat({most, at::full_like(b, kInfinite).detach()}, 1)},
                        plain);
  return shift.x;
}

optim::ProgramSolution solve_shifted(const optim::QuadraticProgram& program,
                                     const QuadraticProgramOptions& options) {
  const ProgramBatch batch(program);
  const Rows rows(program, batch);
  const std::int64_t m = rows.d.size(1);
  const std::int64_t k = batch.equalities();
  const at::Tensor a = k > 0 ? program.A.expand({batch.size(), k, batch.unknowns()})
                             : at::empty({batch.size(), 0, batch.unknowns()}, batch.options());
  const at::Tensor b =
      k > 0 ? program.b.expand({batch.size(), k}) : at::empty({batch.size(), 0}, batch.options());
  const at::Tensor shift = smallest_shift(rows.c, rows.d, a, b, options);
  const at::Tensor of_rows = shift.narrow(1, 0, m);
  // A row that has to give way holds with equality, wherever the others are met.
  const at::Tensor tight = of_rows.detach() > 0;
  const at::Tensor met = at::where(tight, rows.d + of_rows, at::zeros({}, rows.d.options()));
  QuadraticProgramOptions plain = options;
  plain.warm_start.reset();
  plain.on_infeasible = optim::OnInfeasible::Nan;
  optim::ProgramSolution solution = quadratic_program({.Q = program.Q,
                                                       .p = program.p,
                                                       .G = rows.c,
                                                       .h = rows.d.masked_fill(tight, kInfinite),
                                                       .A = at::cat({rows.c * tight.unsqueeze(2), a}, 1),
                                                       .b = at::cat({met, b + shift.narrow(1, m, k)}, 1)},
                                                      plain);
  const at::Tensor dual = solution.z + solution.y.narrow(1, 0, m);
  const std::int64_t general = batch.general_rows();
  solution.z = dual.narrow(1, 0, general);
  solution.lower = dual.narrow(1, general, batch.lower_rows());
  solution.upper = dual.narrow(1, general + batch.lower_rows(), batch.upper_rows());
  solution.y = solution.y.narrow(1, m, k);
  solution.slack = at::where(tight, -of_rows, solution.slack).narrow(1, 0, general);
  return solution;
}

}  // namespace

void fill_closest_feasible(const optim::QuadraticProgram& program, const QuadraticProgramOptions& options,
                           optim::ProgramSolution& solution) {
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < solution.stats.status.size(); ++i) {
    if (solution.stats.status[i] == optim::ProgramStatus::Infeasible)
      numbers.push_back(static_cast<std::int64_t>(i));
  }
  if (numbers.empty()) return;
  const at::Tensor which = at::tensor(numbers, at::kLong).to(solution.x.device());
  QuadraticProgramOptions own = options;
  if (auto* barrier = std::get_if<optim::Barrier>(&own.smoothing)) {
    at::Tensor& mu = barrier->mu.tensor;
    if (mu.defined() && mu.dim() == 1) mu = mu.index_select(0, which);
  }
  const optim::ProgramSolution closest =
      solve_shifted(map_parts(program,
                              [&](const at::Tensor& part, std::int64_t dims) {
                                return part.dim() == dims ? part : part.index_select(0, which);
                              }),
                    own);
  const auto fill = [&](at::Tensor& into, const at::Tensor& from) {
    if (into.size(1) > 0) into = into.index_copy(0, which, from);
  };
  fill(solution.x, closest.x);
  fill(solution.z, closest.z);
  fill(solution.y, closest.y);
  fill(solution.lower, closest.lower);
  fill(solution.upper, closest.upper);
  fill(solution.slack, closest.slack);
}

}  // namespace stillpoint::detail
