#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "linear/kept_factor.h"
#include "ode/slope.h"
#include "stillpoint/autograd/implicit.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/ode/control.h"
#include "stillpoint/ode/newton.h"

namespace stillpoint::detail {

/// An implicit stage: its slope k = f(t, base + length k).
struct Stage {
  at::Tensor t;  ///< undefined if f does not read it
  at::Tensor base;
  std::vector<double> lengths;  ///< one for the batch, or one a sample
};

/// Solves the stages of a diagonally implicit method by Newton's method, for each sample by itself: what a
/// sample does depends on no other one, unless they share the length of their steps. Its matrices, I − length
/// ∂f/∂y, are kept from stage to stage and from step to step. It belongs to one solve in one thread.
class StageSolver {
 public:
  /// What was done, for the whole batch.
  struct Effort {
    std::int64_t jacobians = 0;
    std::int64_t factorizations = 0;
    std::int64_t iterations = 0;
  };

  /// `to_rounding`: stages are not solved to a fraction of the tolerance, but as exactly as can be.
  StageSolver(ode::Newton newton, const ode::Tolerance& tolerance, bool to_rounding)
      : newton_(std::move(newton)), tolerance_(tolerance), to_rounding_(to_rounding) {}

  /// A step starts from y, at t.
  void begin(const at::Tensor& t, const at::Tensor& y);
  /// The slope, from a guess; undefined: the one found last. Gradients are off when it is called.
  at::Tensor solve(const Slope& f, const Stage& stage, const at::Tensor& guess);
  /// The samples of which a stage of this step was not found, though all was finite.
  const Mask& unsolved() const { return unsolved_; }
  /// (I − length ∂f/∂y)⁻¹ error, with the matrix that there is.
  at::Tensor damped(const at::Tensor& error) const;
  /// Solves for the adjoint of the stage found last: by corrections with the matrix that there is, and where
  /// these do not lead to rounding by the exact one. Empty for narrow states, where that is cheaper.
  ImplicitRule::FirstOrder adjoint() const;
  const Effort& effort() const { return effort_; }

 private:
  enum class Verdict : std::uint8_t { GoOn, Solved, Renew, StartAgain, GiveUp };

  struct Sample {
    double length = 0.0;  // that of its matrix
    bool has_matrix = false;
    bool singular = false;  // that matrix
    bool stale = true;      // its Jacobian has to be made anew
    double slowest = 0.0;   // rate of convergence in this step
    double ease = 1.0;      // rate / (1 − rate), of the latest iterations
    // In this stage:
    double latest = 0.0;          // correction, in units of the tolerance
    std::int64_t iterations = 0;  // with one matrix
    std::int64_t renewals = 0;
    double floor = 0.0;  // a correction that is nothing but rounding
  };

  double length_of(const Stage& stage, std::size_t b) const {
    return stage.lengths[stage.lengths.size() == 1 ? 0 : b];
  }
  void enter(const Slope& f, const Stage& stage);
  Verdict judge(Sample& sample, double correction) const;
  Verdict trouble(const Sample& sample, double correction, double rate) const;
  at::Tensor correct(const Stage& stage, const at::Tensor& residual, at::Tensor& slope,
                     std::vector<double>& corrections) const;
  void renew(const Slope& f, const Stage& stage, const at::Tensor& t, const at::Tensor& y,
             const Mask& jacobians, const Mask& factors);
  at::Tensor jacobian(const Slope& f, const at::Tensor& t, const at::Tensor& y);

  ode::Newton newton_;
  ode::Tolerance tolerance_;
  bool to_rounding_;
  at::Tensor t_;  // where the step starts
  at::Tensor y_;
  at::Tensor found_;     // the latest slope
  at::Tensor jacobian_;  // [B, N, N]
  std::optional<KeptFactor> factor_;
  std::vector<Sample> samples_;
  Mask failed_;    // in this step: no more is tried
  Mask unsolved_;  // of these, those that were finite
  Effort effort_;
};

}  // namespace stillpoint::detail
