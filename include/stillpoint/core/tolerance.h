#pragma once

#include <c10/core/ScalarType.h>

#include <optional>

namespace stillpoint {

/// How the size of a sample, a row of `width` numbers, is measured.
enum class Norm {
  Euclidean,       ///< sqrt(Σ x²)
  RootMeanSquare,  ///< sqrt(Σ x² / width): does not grow with the width
  Maximum,         ///< max |x|
};

/// When a sample counts as solved: ‖residual‖ ≤ absolute + relative · ‖scale‖.
///
/// The scale is the iterate z for fixed points and roots, the right-hand side for linear systems.
/// A field left empty takes the default of the state's dtype, which can be reached in that dtype:
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
};

}  // namespace stillpoint
