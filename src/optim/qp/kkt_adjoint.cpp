#include "optim/qp/kkt_adjoint.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/confirm.h"
#include "optim/qp/barrier.h"
#include "optim/qp/polish.h"

namespace stillpoint::detail {

Vector equality_sides(const double* right, const StateLayout& layout,
                      const std::vector<FixedUnknown>& fixed) {
  const double* of_rows = right + layout.unknowns;
  Vector g(of_rows + layout.rows, right + layout.width());
  for (const FixedUnknown& one : fixed) g.push_back((of_rows[one.upper_row] - of_rows[one.lower_row]) / 2);
  return g;
}

void put_equality_duals(const double* duals, const StateLayout& layout,
                        const std::vector<FixedUnknown>& fixed, double* u) {
  double* of_rows = u + layout.unknowns;
  std::copy_n(duals, layout.equalities, of_rows + layout.rows);
  const double* dual = duals + layout.equalities;
  for (const FixedUnknown& one : fixed) {
    of_rows[one.upper_row] = *dual / 2;
    of_rows[one.lower_row] = -*dual++ / 2;
  }
}

namespace {

// −J u = right, or −Jᵀ u = right. With I the inactive rows, J is [Q G_A' 0 A'; G_A 0 0 0; G_I 0 −1 0; A 0 0
// 0]. `left`, unless null, becomes what u leaves, by the numbers that the program was solved with.
void solve_sample(const SolvedProgram& solved, const StateLayout& layout, bool transposed,
                  const double* right, double* u, double* left) {
  const auto& [program, row, fixed] = solved.sample;
  const std::int64_t n = layout.unknowns;
  const std::int64_t k = program.a.rows;
  const double* of_rows = right + n;
  std::copy_n(of_rows, layout.rows, u + n);  // of inactive rows, and of those that constrain nothing
  Vector f(right, right + n);
  for (double& v : f) v = -v;
  Vector g = equality_sides(right, layout, fixed);
  std::vector<bool> active(row.size(), false);
  for (const std::int64_t i : solved.outcome.active) {
    active[i] = true;
    g.push_back(of_rows[row[i]]);
  }
  for (double& v : g) v = -v;
  for (std::size_t i = 0; transposed && i < row.size(); ++i) {
    if (!active[i]) axpy(-of_rows[row[i]], program.g[static_cast<std::int64_t>(i)], f.data(), n);
  }
  Vector x;
  Vector w;
  const EqualityKkt::Sides missed = solved.outcome.kkt->solve(
      program.q, active_rows(program, solved.outcome.active), {std::move(f), std::move(g)}, x, w);
  std::copy(x.begin(), x.end(), u);
  put_equality_duals(w.data(), layout, fixed, u);
  for (std::size_t a = 0; a < solved.outcome.active.size(); ++a)
    u[n + row[solved.outcome.active[a]]] = w[k + static_cast<std::int64_t>(a)];
  for (std::size_t i = 0; !transposed && i < row.size(); ++i) {
    if (!active[i]) u[n + row[i]] += dot(program.g[static_cast<std::int64_t>(i)], x.data(), n);
  }
  if (left == nullptr) return;
  std::copy(missed.f.begin(), missed.f.end(), left);
  std::copy_n(missed.g.begin(), layout.equalities, left + n + layout.rows);
  for (std::size_t i = 0; i < fixed.size(); ++i) {
    const FixedUnknown& one = fixed[i];
    const double either_way = (of_rows[one.upper_row] + of_rows[one.lower_row]) / 2;
    left[n + one.upper_row] = either_way + missed.g[layout.equalities + static_cast<std::int64_t>(i)];
    left[n + one.lower_row] = either_way - missed.g[layout.equalities + static_cast<std::int64_t>(i)];
  }
  for (std::size_t a = 0; a < solved.outcome.active.size(); ++a)
    left[n + row[solved.outcome.active[a]]] = missed.g[k + static_cast<std::int64_t>(a)];
}

// The same at a point inside: J is [Q G'Z A'; G −S 0; A 0 0] with Z = z/(z + s) and S = s/(z + s).
void solve_inside(const SolvedProgram& solved, const StateLayout& layout, bool transposed,
                  const double* right, double* u) {
  const std::vector<std::int64_t>& row = solved.sample.row;
  const Point& point = solved.outcome.point;
  const std::int64_t n = layout.unknowns;
  const double* of_rows = right + n;
  std::copy_n(of_rows, layout.rows, u + n);  // of rows that constrain nothing
  Vector f(right, right + n);
  Vector g(right + n + layout.rows, right + layout.width());
  const auto share = [&](std::size_t i) { return 1.0 + point.s[i] / point.z[i]; };  // 1/Z
  for (std::size_t i = 0; i < row.size(); ++i) g.push_back(of_rows[row[i]] * (transposed ? share(i) : 1.0));
  for (Vector* v : {&f, &g}) {
    for (double& value : *v) value = -value;
  }
  Vector x;
  Vector l;
  solved.outcome.barrier->solve(std::move(f), g, x, l);
  std::copy(x.begin(), x.end(), u);
  std::copy_n(l.begin(), layout.equalities, u + n + layout.rows);
  for (std::size_t i = 0; i < row.size(); ++i)
    u[n + row[i]] = l[layout.equalities + static_cast<std::int64_t>(i)] * (transposed ? 1.0 : share(i));
}

const char* advice(Status status) {
  return status == Status::NonFinite
             ? "these programs were not solved, or have no unique solution; look at their status and flags"
             : "active rows are dependent or nearly so: derivatives of the duals are those of least norm";
}

Stats stats_of(const at::Tensor& b) {
  const std::int64_t batch = b.size(0);
  Stats stats;
  stats.method = "KktAdjoint";
  stats.advice = advice;
  stats.status.assign(batch, Status::Converged);
  stats.iterations.assign(batch, 1);
  stats.residual.assign(batch, 0.0);
  return stats;
}

}  // namespace

// Zero for samples whose gradient is to be zero, whatever arrives.
at::Tensor KktAdjoint::without_dropped(const at::Tensor& b) const {
  if (std::none_of(programs_->begin(), programs_->end(), [](const auto& p) { return p.no_gradient; }))
    return b;
  at::Tensor dropped = at::zeros({b.size(0), 1}, at::kBool);
  for (std::int64_t i = 0; i < b.size(0); ++i) dropped.data_ptr<bool>()[i] = (*programs_)[i].no_gradient;
  return b.masked_fill(dropped.to(b.device()), 0.0);
}

at::Tensor KktAdjoint::solved(const at::Tensor& b, bool transposed, double* left) const {
  const at::Tensor right = b.to(at::kCPU, at::kDouble).contiguous();
  at::Tensor u = at::zeros_like(right);
  const std::int64_t width = layout_.width();
  const auto* from = right.data_ptr<double>();
  auto* to = u.data_ptr<double>();
  at::parallel_for(0, right.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double* own = from + i * width;
      const SolvedProgram& program = (*programs_)[i];
      if (std::all_of(own, own + width, [](double v) { return v == 0.0; })) continue;
      if (program.differentiable() && program.system) {
        program.system->solve(transposed, own, to + i * width);
      } else if (program.differentiable() && program.outcome.barrier) {
        solve_inside(program, layout_, transposed, own, to + i * width);
      } else if (program.differentiable()) {
        solve_sample(program, layout_, transposed, own, to + i * width, left ? left + i * width : nullptr);
      } else {
        std::fill_n(to + i * width, width, std::nan(""));
        if (left) std::fill_n(left + i * width, width, std::nan(""));
      }
    }
  });
  return u.to(b.options());
}

Solution<at::Tensor> KktAdjoint::first_order(const at::Tensor& given,
                                             const ResolvedTolerance& tolerance) const {
  const at::Tensor b = without_dropped(given);
  const at::Tensor left = at::zeros(b.sizes(), b.options());
  Solution<at::Tensor> solution{solved(b, /*transposed=*/true, left.data_ptr<double>()), stats_of(b)};
  if (b.numel() > 0) confirm(left, b, tolerance, solution.stats);
  return solution;
}

Solution<at::Tensor> KktAdjoint::solve(const LinearOperator& a, const at::Tensor& given,
                                       const at::Tensor& /*x0*/, const ResolvedTolerance& tolerance) const {
  const at::Tensor b = without_dropped(given);
  Solution<at::Tensor> solution{solved(b, /*transposed=*/true, nullptr), stats_of(b)};
  if (b.numel() == 0) return solution;
  at::Tensor left = residual(a, b, solution.value);
  const at::Tensor missed = left.abs().amax(1);
  const at::Tensor wrong = missed > tolerance.allowed(1.0) * b.abs().amax(1);
  solution.stats.evaluations = 1;
  if (wrong.any().item<bool>()) {
    const at::Tensor other = solved(b, /*transposed=*/false, nullptr);
    const at::Tensor left_by_other = residual(a, b, other);
    const at::Tensor better = (left_by_other.abs().amax(1) < missed).unsqueeze(1);
    ++solution.stats.evaluations;
    solution.value = at::where(better, other, solution.value);
    left = at::where(better, left_by_other, left);
  }
  confirm(left, b, tolerance, solution.stats);
  return solution;
}

}  // namespace stillpoint::detail
