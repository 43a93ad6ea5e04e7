#include "optim/qp/warm_start.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <cmath>

namespace stillpoint::detail {
namespace {

at::Tensor numbers(const at::Tensor& t) { return t.detach().to(at::kCPU, at::kDouble).contiguous(); }

void check_shape(const char* part, const at::Tensor& t, std::int64_t batch, std::int64_t width) {
  TORCH_CHECK(t.defined() && t.dim() == 2 && t.size(0) == batch && t.size(1) == width, "warm_start.", part,
              ": expected shape [", batch, ", ", width, "], as the solution of such a program has, got ",
              t.defined() ? t.sizes() : at::IntArrayRef());
}

}  // namespace

WarmStart::WarmStart(const optim::ProgramSolution& solution, const ProgramBatch& batch) {
  check_shape("x", solution.x, batch.size(), batch.unknowns());
  check_shape("y", solution.y, batch.size(), batch.equalities());
  check_shape("z", solution.z, batch.size(), batch.general_rows());
  check_shape("slack", solution.slack, batch.size(), batch.general_rows());
  check_shape("lower", solution.lower, batch.size(), batch.lower_rows());
  check_shape("upper", solution.upper, batch.size(), batch.upper_rows());
  x_ = numbers(solution.x);
  y_ = numbers(solution.y);
  dual_ = numbers(at::cat({solution.z, solution.lower, solution.upper}, 1));
  // A bound without a dual is left to be found again.
  const at::Tensor bounds = at::cat({solution.lower, solution.upper}, 1);
  slack_ = numbers(at::cat({solution.slack, at::ones_like(bounds)}, 1));
}

std::optional<Outcome> WarmStart::sample(std::int64_t i, const ProgramNumbers::Sample& own) const {
  const std::int64_t n = x_.size(1);
  const std::int64_t rows = dual_.size(1);
  Outcome outcome;
  const double* x = x_.data_ptr<double>() + i * n;
  const double* y = y_.data_ptr<double>() + i * y_.size(1);
  outcome.point.x.assign(x, x + n);
  outcome.point.y.assign(y, y + y_.size(1));
  for (const FixedUnknown& one : own.fixed) {
    const double* dual = dual_.data_ptr<double>() + i * rows;
    outcome.point.y.push_back(dual[one.upper_row] - dual[one.lower_row]);
  }
  for (const double v : outcome.point.x) {
    if (!std::isfinite(v)) return std::nullopt;
  }
  for (std::size_t r = 0; r < own.row.size(); ++r) {
    const std::int64_t at = i * rows + own.row[r];
    outcome.point.z.push_back(dual_.data_ptr<double>()[at]);
    outcome.point.s.push_back(slack_.data_ptr<double>()[at]);
    if (outcome.point.z.back() > 0.0 || outcome.point.s.back() <= 0.0)
      outcome.active.push_back(static_cast<std::int64_t>(r));
  }
  return outcome;
}

}  // namespace stillpoint::detail
