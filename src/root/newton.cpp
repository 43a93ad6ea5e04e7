#include "stillpoint/root/newton.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <memory>
#include <utility>
#include <vector>

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

// Where the search for a step stands: the step tried for each sample, and who has settled on one. Far from a
// solution the Newton step can point at a fixed point that repels, and shortened it would still go there; the
// plain step goes where f leads.
class StepSearch {
 public:
  StepSearch(at::Tensor newton, at::Tensor plain, const std::vector<std::uint8_t>& running)
      : newton_(std::move(newton)), plain_(std::move(plain)), step_(newton_), settled_(running.size()) {
    for (std::size_t b = 0; b < running.size(); ++b) settled_[b] = running[b] == 0;
  }

  const at::Tensor& step() const { return step_; }

  /// Settles the samples whose residual has decreased enough; true if all have settled.
  bool settle(const RowNorms& trial, const RowNorms& current) {
    bool all = true;
    for (std::size_t b = 0; b < settled_.size(); ++b) {
      if (!settled_[b]) settled_[b] = trial.residual[b] <= (1.0 - kArmijo * length_) * current.residual[b];
      all = all && settled_[b];
    }
    return all;
  }

  /// Turns to the next candidate for the others: after the full step the plain one, then ever shorter ones.
  void next() {
    if (std::exchange(tried_plain_, true)) length_ *= 0.5;
    const at::Tensor candidate = length_ == 1.0 ? plain_ : newton_ * length_;
    step_ = detail::select_rows(settled_, step_, candidate);
  }

 private:
  at::Tensor newton_, plain_, step_;
  std::vector<std::uint8_t> settled_;
  bool tried_plain_ = false;
  double length_ = 1.0;
};

}  // namespace

void Newton::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(max_halvings >= 0, "Newton.max_halvings: expected ≥ 0, got ", max_halvings);
  const Norm norm = monitor.tolerance().norm;
  TORCH_CHECK(plain_steps >= 0, "Newton.plain_steps: expected ≥ 0, got ", plain_steps);
  at::Tensor z = z0;
  for (std::int64_t step = 0; step < plain_steps; ++step) {
    at::Tensor fz = f(z);
    if (!monitor.update(std::move(z), fz)) return;
    z = std::move(fz);
  }
  RowNorms current;
  RowNorms trial_norms;
  Tape tape = f.record(z);
  residual_norms(z, tape.value(), norm, current);
  while (monitor.update(z, current)) {
    StepSearch search(newton_direction(f, tape, z), tape.value() - z, monitor.running());
    at::Tensor trial;
    for (std::int64_t halvings = -1;; ++halvings) {
      trial = detail::select_rows(monitor.running(), z + search.step(), z);
      tape = f.record(trial);
      residual_norms(trial, tape.value(), norm, trial_norms);
      if (search.settle(trial_norms, current) || halvings == max_halvings) break;
      search.next();
    }
    z = trial;
    std::swap(current, trial_norms);
  }
}

}  // namespace stillpoint
