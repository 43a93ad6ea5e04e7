#include "stillpoint/root/newton.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <memory>

#include "core/rows.h"
#include "stillpoint/linear/operator.h"

namespace stillpoint {
namespace {

constexpr double kArmijo = 1e-4;

// (I − J)⁻¹ (f(z) − z) for each sample; f(z) − z itself where that is not to be had.
at::Tensor newton_direction(const CheckedMap& f, const Tape& tape, const at::Tensor& z) {
  at::Tensor plain = tape.value() - z;
  if (z.numel() == 0) return plain;
  const std::int64_t width = detail::row_width(z);
  const at::Tensor transposed =
      to_dense({.product = [&](const at::Tensor& u) { return tape.vjp(u); }, .identity_minus = true}, z);
  f.count_jacobian_products(width);
  const at::Tensor rhs = plain.reshape({z.size(0), width, 1});
  const at::Tensor d = std::get<0>(at::linalg_solve_ex(transposed.transpose(1, 2), rhs)).squeeze(2);
  const at::Tensor usable = at::isfinite(d).all(1, /*keepdim=*/true);
  return at::where(usable, d, rhs.squeeze(2)).view(z.sizes());
}

// Where the line search of a batch stands: a step length for each sample, and who has settled on one.
struct LineSearch {
  std::vector<double> length;
  std::vector<std::uint8_t> settled;

  explicit LineSearch(const std::vector<std::uint8_t>& running)
      : length(running.begin(), running.end()), settled(running.size()) {
    for (std::size_t b = 0; b < running.size(); ++b) settled[b] = running[b] == 0;
  }

  /// Settles the samples whose residual has decreased enough and halves the steps of the others; true if all
  /// have settled.
  bool settle(const RowNorms& trial, const RowNorms& current) {
    bool all = true;
    for (std::size_t b = 0; b < length.size(); ++b) {
      if (settled[b]) continue;
      settled[b] = trial.residual[b] <= (1.0 - kArmijo * length[b]) * current.residual[b];
      if (!settled[b]) length[b] *= 0.5;
      all = all && settled[b];
    }
    return all;
  }
};

}  // namespace

void Newton::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(max_halvings >= 0, "Newton.max_halvings: expected ≥ 0, got ", max_halvings);
  const Norm norm = monitor.tolerance().norm;
  RowNorms current;
  RowNorms trial_norms;
  at::Tensor z = z0;
  Tape tape = f.record(z);
  residual_norms(z, tape.value(), norm, current);
  while (monitor.update(z, current)) {
    const at::Tensor direction = newton_direction(f, tape, z);
    LineSearch search(monitor.running());
    at::Tensor trial;
    for (std::int64_t halvings = 0;; ++halvings) {
      trial = detail::select_rows(monitor.running(), z + direction * detail::to_column(search.length, z), z);
      tape = f.record(trial);
      residual_norms(trial, tape.value(), norm, trial_norms);
      if (search.settle(trial_norms, current) || halvings == max_halvings) break;
    }
    z = trial;
    std::swap(current, trial_norms);
  }
}

}  // namespace stillpoint
