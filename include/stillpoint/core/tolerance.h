#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>

namespace stillpoint {

/// How to measure the size of a sample, which is a row of `width` numbers. If a sum of squares leaves the
/// range of the dtype, it is computed again in units of the largest number, so finite samples have finite
/// norms.
enum class Norm {
  Euclidean,       ///< sqrt(Σ x²)
  RootMeanSquare,  ///< sqrt(Σ x² / width): does not grow with the width
  Maximum,         ///< max |x|
};

/// What is compared with the tolerance to decide whether a sample of a fixed point or root is solved.
///
/// The step is the weaker test. Undamped Picard steps by the previous residual, so if f contracts by ρ, its
/// residual is at most ρ times the step. No such bound holds for other methods: one that shortens its steps,
/// or creeps, passes far from a solution. Use the step for equations whose residual has no meaning of its
/// own, and to compare with codes that stop by it.
enum class Criterion : std::uint8_t {
  Residual,  ///< ‖f(z) − z‖, or ‖g(z)‖
  /// ‖z − z_before‖, the distance from the previous iterate, relative to the later one. It never accepts the
  /// start, nor a sample that stayed where it was (a rejected trial), unless the residual is exactly zero.
  /// The report still has the residual of what comes back, so a solve evaluates its last iterate, too. Needs
  /// memory for one more state.
  Step,
};

struct Tolerance;

/// A tolerance in numbers, as whoever has to meet one is handed it: `Tolerance::resolved` makes it. What is
/// not given is zero.
struct ResolvedTolerance {
  double relative = 0.0;  ///< ≥ 0, no unit
  double absolute = 0.0;  ///< ≥ 0, in units of the state
  Norm norm = Norm::Euclidean;

  /// The largest residual, in this norm, that is accepted at this scale.
  double allowed(double scale) const { return absolute + relative * scale; }

  /// As one whose fields are all given, for options and for a linear solver that takes it so.
  operator Tolerance() const;  // NOLINT(google-explicit-constructor): nothing is lost
};

/// When a sample is solved: ‖residual‖ ≤ absolute + relative · ‖scale‖.
///
/// The scale is the iterate z for fixed points and roots, and the right-hand side for linear systems. The
/// residual of a root is first converted to the unit of z, see `Slopes`. Nothing that is not finite is ever
/// solved. An empty field takes the default of the state's dtype, which can be reached in that dtype:
///
/// | dtype              | relative | absolute |
/// |--------------------|----------|----------|
/// | double             | 1e-10    | 1e-12    |
/// | float              | 1e-5     | 1e-6     |
/// | half, bfloat16     | 1e-2     | 1e-3     |
struct Tolerance {
  std::optional<double> relative = {};  ///< ≥ 0, no unit
  std::optional<double> absolute = {};  ///< ≥ 0, in units of the state
  Norm norm = Norm::Euclidean;

  /// This tolerance with its empty fields filled in for `dtype`. Throws if a field is negative or NaN.
  ResolvedTolerance resolved(c10::ScalarType dtype) const;
};

inline ResolvedTolerance::operator Tolerance() const {
  return {.relative = relative, .absolute = absolute, .norm = norm};
}

}  // namespace stillpoint
