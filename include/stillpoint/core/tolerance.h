#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>

namespace stillpoint {

/// How the size of a sample, a row of `width` numbers, is measured. Sums of squares that leave the range of
/// the dtype are taken again in units of the largest number, so that finite samples have finite norms.
enum class Norm {
  Euclidean,       ///< sqrt(Σ x²)
  RootMeanSquare,  ///< sqrt(Σ x² / width): does not grow with the width
  Maximum,         ///< max |x|
};

/// What is held against the tolerance to tell whether a sample of a fixed point or root is solved.
///
/// The step is the weaker test. Undamped Picard steps by the residual before, so its residual is at most ρ
/// times the step where f contracts by ρ. No such bound holds for other methods: one that shortens its steps,
/// or creeps, passes far from a solution. It suits equations whose residual has no meaning of its own, and
/// comparisons with codes that stop by it.
enum class Criterion : std::uint8_t {
  Residual,  ///< ‖f(z) − z‖, or ‖g(z)‖
  /// ‖z − z_before‖, the distance from the iterate before, relative to z, the later one. A start is never
  /// solved by it and a sample that stayed where it was (a refused trial) is not either, unless the residual
  /// is exactly zero. What is reported is still the residual of what comes back, so a solve evaluates its
  /// last iterate, too. Memory for one state more.
  Step,
};

/// When a sample counts as solved: ‖residual‖ ≤ absolute + relative · ‖scale‖.
///
/// The scale is the iterate z for fixed points and roots, the right-hand side for linear systems. The
/// residual of a root is first brought to the unit of z, see `Slopes`. Nothing that is not finite is ever
/// solved. A field left empty takes the default of the state's dtype, which can be reached in that dtype:
///
/// | dtype              | relative | absolute |
/// |--------------------|----------|----------|
/// | double             | 1e-10    | 1e-12    |
/// | float              | 1e-5     | 1e-6     |
/// | half, bfloat16     | 1e-2     | 1e-3     |
struct Tolerance {
  std::optional<double> relative = {};  ///< ≥ 0, without unit
  std::optional<double> absolute = {};  ///< ≥ 0, in units of the state
  Norm norm = Norm::Euclidean;

  /// This tolerance with empty fields filled in for `dtype`. Throws if a field is negative or NaN.
  Tolerance resolved(c10::ScalarType dtype) const;
  /// What the residual may be beside this scale. The tolerance must be resolved.
  double allowed(double scale) const { return *absolute + *relative * scale; }
};

}  // namespace stillpoint
