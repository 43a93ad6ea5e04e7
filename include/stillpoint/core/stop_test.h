#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "stillpoint/core/mask.h"
#include "stillpoint/core/row_norms.h"
#include "stillpoint/core/slopes.h"
#include "stillpoint/core/tolerance.h"

namespace stillpoint {

/// Decides which samples are solved: those where the tolerance allows what the criterion measures. It follows
/// the iterates of a batch one by one.
class StopTest {
 public:
  /// Compares the residual or, if asked to, the step.
  // NOLINTNEXTLINE(google-explicit-constructor): a tolerance alone is the usual test
  StopTest(const ResolvedTolerance& tolerance, Criterion criterion = Criterion::Residual)
      : tolerance_(tolerance), criterion_(criterion) {}
  /// Compares the residual in the unit of z, as a root needs it.
  StopTest(const ResolvedTolerance& tolerance, Slopes slopes)
      : tolerance_(tolerance), slopes_(std::move(slopes)) {}

  const ResolvedTolerance& tolerance() const { return tolerance_; }

  /// Goes on to the iterate `z`, `[B, …]`, with these norms. `now` asks for slopes at this z, if there are
  /// any.
  void follow(const at::Tensor& z, const RowNorms& norms, const Mask& running, bool now);
  /// Whether a running sample is solved at the z that was followed last; `norms` are those there.
  bool solves(std::size_t sample, const RowNorms& norms) const;
  /// Whether it is certain that none is solved, were they all to run, and that all scales are finite; one
  /// pass without a branch.
  bool solves_none(const RowNorms& norms) const;
  /// The largest residual accepted for a sample whose iterate has the norm `scale`, as far as is known.
  double allowed(std::size_t sample, double scale) const {
    return tolerance_.allowed(scale) * (slopes_ ? (*slopes_)[sample] : 1.0);
  }
  /// Forgets the last z: from there to the next one is no step.
  void forget() { previous_ = at::Tensor(); }

 private:
  void follow_slopes(const at::Tensor& z, const RowNorms& norms, const Mask& running, bool now);
  void measure_step(const at::Tensor& z, const RowNorms& norms);
  const std::vector<double>& measured(const RowNorms& norms) const {
    return criterion_ == Criterion::Residual ? norms.residual : step_;
  }

  ResolvedTolerance tolerance_;
  Criterion criterion_ = Criterion::Residual;
  std::optional<Slopes> slopes_;
  std::vector<double> target_;  // for the slopes: what the tolerance allows, in the unit of z
  std::vector<double> step_;    // the length of the latest one, as `Criterion::Step` measures it
  at::Tensor previous_;         // the iterate before, if that is asked for
};

}  // namespace stillpoint
