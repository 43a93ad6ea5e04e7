#include "ode/stage_solver.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "ode/combine.h"
#include "ode/control/limits.h"
#include "stillpoint/autograd/tape.h"
#include "stillpoint/core/operator.h"
#include "stillpoint/linear/solvers/dense_lu.h"

namespace stillpoint::detail {
namespace {

// By what part of itself a length may differ from that of its matrix. To rounding it is a long way where
// corrections fall by no more than that makes them.
constexpr double kLengthChange = 0.2;
constexpr double kLengthChangeToRounding = 0.01;
// A step in which a correction was more than this part of the one before starts the next with a new Jacobian.
// It is more than a change of length explains.
constexpr double kStaleRate = 0.2;
// A matrix whose inverse is not even right to two digits is singular.
constexpr double kSingular = 1e-2;
// So many new matrices in one stage, and it is given up.
constexpr std::int64_t kRenewals = 3;
// Corrections that no longer fall are rounding errors, if they are no more than so many times the least one.
constexpr double kNoise = 64.0;

// An adjoint is solved for by its whole matrix up to this width of a sample, else by so many corrections.
constexpr std::int64_t kNarrow = 8;
constexpr std::int64_t kRefinements = 12;

constexpr double kBeyondAll = std::numeric_limits<double>::infinity();

// A state as real numbers, and back.
at::Tensor numbers(const at::Tensor& y) { return y.is_complex() ? at::view_as_real(y) : y; }
at::Tensor state_like(const at::Tensor& x, const at::Tensor& y) {
  return y.is_complex() ? at::view_as_complex(x) : x;
}

// Aᵀu = g for samples that the corrections bring to rounding; the others are marked.
at::Tensor refine(const KeptFactor& factor, const LinearOperator& a, const at::Tensor& g, Mask& failed) {
  const auto estimate = [&](const at::Tensor& r) {
    return state_like(factor.solve_transposed(numbers(r)), g).contiguous();
  };
  const double rounding = 4.0 * machine_epsilon(g.scalar_type());
  at::Tensor u = estimate(g);
  std::vector<double> before(failed.size(), kBeyondAll);
  Mask active(failed.size(), true);
  for (std::int64_t i = 0; active.any(); ++i) {
    const at::Tensor step = estimate(g - a.mv(u));
    const std::vector<double> sizes = row_norms(numbers(step), Norm::Euclidean);
    const std::vector<double> wholes = row_norms(numbers(u), Norm::Euclidean);
    u = select_rows(active, u + step, u);
    for (std::size_t b = 0; b < failed.size(); ++b) {
      if (!active[b]) continue;
      active[b] = !(sizes[b] <= rounding * wholes[b]);
      const bool slow = !(sizes[b] < 0.5 * before[b]) || i >= kRefinements;
      before[b] = sizes[b];
      if (!active[b] || !slow) continue;
      active[b] = 0;
      failed[b] = !(sizes[b] <= kNoise * rounding * wholes[b]);
    }
  }
  return u;
}

at::Tensor choose_matrices(const Mask& marked, const at::Tensor& chosen, const at::Tensor& other) {
  return marked.all() || !other.defined() ? chosen : at::where(to_mask(marked, chosen), chosen, other);
}

}  // namespace

void StageSolver::begin(const at::Tensor& t, const at::Tensor& y) {
  t_ = t.defined() ? t.detach() : t;
  y_ = y.detach().contiguous();
  const auto batch = static_cast<std::size_t>(y.size(0));
  samples_.resize(batch);
  for (Sample& sample : samples_) {
    sample.stale |= sample.slowest > kStaleRate;
    sample.slowest = 0.0;
  }
  failed_ = Mask(batch);
  unsolved_ = Mask(batch);
}

at::Tensor StageSolver::jacobian(const Slope& f, const at::Tensor& t, const at::Tensor& y) {
  ++effort_.jacobians;
  const at::Tensor x = numbers(y);
  if (newton_.jacobian) {
    const at::Tensor given = newton_.jacobian(t, y);
    const std::int64_t width = row_width(x);
    TORCH_CHECK(given.defined() && given.sizes() == at::IntArrayRef({y.size(0), width, width}) &&
                    given.scalar_type() == x.scalar_type(),
                "newton.jacobian: expected [", y.size(0), ", ", width, ", ", width, "] of ", x.scalar_type(),
                ", got ",
                given.defined() ? c10::str("shape ", given.sizes(), ", ", given.scalar_type())
                                : std::string("an undefined tensor"));
    return given.detach();
  }
  const Tape tape([&](const at::Tensor& at) { return numbers(f(t, state_like(at, y))); }, x);
  const LinearOperator transposed{.product = [&](const at::Tensor& u) { return tape.vjp(u); }};
  return to_dense(transposed, x).transpose(1, 2);
}

// Makes the Jacobians of some samples anew, at y, and the matrices of some.
void StageSolver::renew(const Slope& f, const Stage& stage, const at::Tensor& t, const at::Tensor& y,
                        const Mask& jacobians, const Mask& factors) {
  if (jacobians.any()) jacobian_ = choose_matrices(jacobians, widened(jacobian(f, t, y)), jacobian_);
  if (!factors.any()) return;
  ++effort_.factorizations;
  std::vector<double> lengths;
  lengths.reserve(samples_.size());
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    lengths.push_back(length_of(stage, b));
    if (jacobians[b]) samples_[b].stale = false;
    if (!factors[b]) continue;
    samples_[b].length = lengths[b];
    samples_[b].has_matrix = true;
    samples_[b].ease = 1.0;
  }
  at::Tensor matrix = jacobian_ * to_column(lengths, jacobian_).neg();
  matrix.diagonal(0, 1, 2).add_(1.0);
  const at::Tensor ones = at::ones({matrix.size(0), matrix.size(1)}, matrix.options());
  if (!factor_ || factors.all()) {
    factor_.emplace(matrix, ones);
  } else {
    factor_->renew(factors, matrix, ones);
  }
  const at::Tensor defect = (matrix_times(matrix, factor_->solve(ones)) - ones).abs().amax(1);
  const std::vector<double> defects = to_host(defect.to(at::kDouble));
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    if (factors[b]) samples_[b].singular = !(defects[b] <= kSingular);
  }
}

// Sees to it that each sample has a matrix that may do for this stage. Those that share the length of their
// steps share the effort.
void StageSolver::enter(const Slope& f, const Stage& stage) {
  Mask jacobians(samples_.size());
  Mask factors(samples_.size());
  std::vector<double> floors;
  if (to_rounding_) {
    const Limits limits(tolerance_, y_.scalar_type());
    floors = error_norms({y_}, {4.0 * machine_epsilon(y_.scalar_type())}, {1.0}, y_, y_, limits.absolute,
                         limits.relative);
  }
  const double change = to_rounding_ ? kLengthChangeToRounding : kLengthChange;
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    Sample& sample = samples_[b];
    const double length = length_of(stage, b);
    const bool serves = sample.has_matrix && std::abs(length - sample.length) <= change * std::abs(length);
    jacobians[b] = sample.stale;
    factors[b] = sample.stale || !serves;
    sample.iterations = 0;
    sample.renewals = 0;
    sample.latest = kBeyondAll;
    if (to_rounding_) sample.floor = floors[b];
  }
  if (stage.lengths.size() == 1) {
    if (jacobians.any()) jacobians = Mask(samples_.size(), true);
    if (factors.any()) factors = Mask(samples_.size(), true);
  }
  renew(f, stage, t_, y_, jacobians, factors);
}

// Newton's step. Where the matrix is of another length, the mean of what is right for slow and for fast
// components. (Hindmarsh et al. 2005, "SUNDIALS", CVODE's correction.)
at::Tensor StageSolver::correct(const Stage& stage, const at::Tensor& residual, at::Tensor& slope,
                                std::vector<double>& corrections) const {
  const at::Tensor step = state_like(factor_->solve(numbers(residual)), residual).contiguous();
  std::vector<double> scales;
  std::vector<double> lengths;
  for (std::size_t b = 0; b < samples_.size(); ++b) {
    const double length = length_of(stage, b);
    const double ratio = samples_[b].length == 0.0 ? 1.0 : length / samples_[b].length;
    scales.push_back(2.0 / (1.0 + ratio));
    lengths.push_back(scales.back() * length);
  }
  const Limits limits(tolerance_, y_.scalar_type());
  corrections = error_norms({step}, {1.0}, lengths, y_, y_, limits.absolute, limits.relative);
  return combine(slope, {step}, {1.0}, scales);
}

// A sample that makes no progress: a new matrix at what it came to, or at the guess, or nothing more.
StageSolver::Verdict StageSolver::trouble(const Sample& sample, double correction, double rate) const {
  const bool close = correction <= newton_.accuracy;
  if (to_rounding_ && close && (sample.renewals > 0 || correction <= kNoise * sample.floor))
    return Verdict::Solved;
  if (sample.renewals >= kRenewals) return Verdict::GiveUp;
  return close || rate < 1.0 ? Verdict::Renew : Verdict::StartAgain;
}

// The error after a correction is about ease · correction. (Hairer, Wanner, II, IV.8.)
StageSolver::Verdict StageSolver::judge(Sample& sample, double correction) const {
  if (sample.singular || !std::isfinite(correction)) return trouble(sample, kBeyondAll, kBeyondAll);
  const double target = to_rounding_ ? sample.floor : newton_.accuracy;
  const bool known = ++sample.iterations > 1;
  const double rate = known ? correction / sample.latest : 0.0;
  sample.latest = correction;
  if (correction == 0.0) return Verdict::Solved;
  if (known && correction > kNoise * sample.floor) sample.slowest = std::max(sample.slowest, rate);
  if (known && rate >= 1.0) return trouble(sample, correction, rate);
  sample.ease = known ? rate / (1.0 - rate) : std::pow(std::max(sample.ease, 1e-16), 0.8);
  // An estimate is good enough for a part of the tolerance, and not for rounding.
  const double error = to_rounding_ ? correction : sample.ease * correction;
  if (error <= target) return Verdict::Solved;
  if (!known) return Verdict::GoOn;
  const auto left = static_cast<double>(newton_.max_iterations - sample.iterations);
  const bool in_time = left > 0.0 && error * std::pow(rate, left) <= target;
  return in_time ? Verdict::GoOn : trouble(sample, correction, rate);
}

at::Tensor StageSolver::solve(const Slope& f, const Stage& stage, const at::Tensor& guess) {
  if (stage.base.numel() == 0) return at::zeros_like(stage.base);
  const at::Tensor& from = guess.defined() ? guess : found_;
  const at::Tensor start =
      from.defined() ? finite_or_zero(from.detach()).contiguous() : at::zeros_like(stage.base);
  enter(f, stage);
  Mask active(samples_.size());
  for (std::size_t b = 0; b < active.size(); ++b) active[b] = failed_[b] == 0 ? 1 : 0;
  at::Tensor slope = start;
  std::vector<double> corrections;
  while (active.any()) {
    ++effort_.iterations;
    const at::Tensor y = combine(stage.base, {slope}, {1.0}, stage.lengths);
    const at::Tensor moved = correct(stage, f(stage.t, y) - slope, slope, corrections);
    slope = active.all() ? moved : select_rows(active, moved, slope);
    Mask again(active.size());
    Mask renewed(active.size());
    for (std::size_t b = 0; b < active.size(); ++b) {
      if (!active[b]) continue;
      const Verdict verdict = judge(samples_[b], corrections[b]);
      again[b] = verdict == Verdict::StartAgain;
      renewed[b] = again[b] | static_cast<std::uint8_t>(verdict == Verdict::Renew);
      active[b] = renewed[b] | static_cast<std::uint8_t>(verdict == Verdict::GoOn);
      if (verdict != Verdict::GiveUp) continue;
      failed_[b] = 1;
      unsolved_[b] = std::isfinite(corrections[b]);
    }
    if (!renewed.any()) continue;
    if (again.any()) slope = select_rows(again, start, slope);
    if (stage.lengths.size() == 1) renewed = active;
    for (std::size_t b = 0; b < active.size(); ++b) {
      if (!renewed[b]) continue;
      ++samples_[b].renewals;
      samples_[b].iterations = 0;
      samples_[b].slowest = 0.0;
    }
    renew(f, stage, stage.t, combine(stage.base, {slope}, {1.0}, stage.lengths), renewed, renewed);
  }
  found_ = slope;
  return slope;
}

ImplicitRule::FirstOrder StageSolver::adjoint() const {
  if (!factor_ || jacobian_.size(1) <= kNarrow) return {};
  return [factor = *factor_](const LinearOperator& a, const at::Tensor& /*slope*/, const at::Tensor& g,
                             const ResolvedTolerance& tolerance) {
    Mask failed(static_cast<std::size_t>(g.size(0)));
    const at::Tensor u = refine(factor, a, g, failed);
    Solution<at::Tensor> found;
    if (failed.any()) {
      found = DenseLu{}.solve(a, g, {}, tolerance);
      found.value = select_rows(failed, found.value, u);
      return found;
    }
    found.value = u;
    found.stats.method = "refined";
    found.stats.status.resize(failed.size(), Status::Converged);
    found.stats.residual = row_norms(numbers(g - a.mv(u)), tolerance.norm);
    found.stats.iterations.resize(failed.size(), 1);
    return found;
  };
}

at::Tensor StageSolver::damped(const at::Tensor& error) const {
  return factor_ ? state_like(factor_->solve(numbers(error)), error).contiguous() : error;
}

}  // namespace stillpoint::detail
