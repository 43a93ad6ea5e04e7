#pragma once

#include <optional>

#include "stillpoint/root/solver.h"

namespace stillpoint {

/// Anderson acceleration, per sample: the next iterate is the combination of the last evaluations whose
/// residuals, combined alike, are smallest. One evaluation an iteration; memory for 2 · `memory` states.
/// (Anderson 1965; Walker, Ni 2011.)
///
/// A step that made the residual of a sample grow is undone for it: a plain step from its best iterate
/// follows, and if that grows too, f does not contract there and growth is accepted from then on. So on a
/// contraction it does not need more evaluations than Picard.
struct Anderson {
  static constexpr const char* name = "Anderson";
  std::int64_t memory = 5;  ///< in [1, 32]: evaluations remembered
  double mixing = 1.0;      ///< in (0, 1]: 1 combines evaluations only, less draws towards the iterates
  /// ≥ 0; added to the sample's own Gram matrix relative to each of its diagonal entries. Empty: by dtype.
  std::optional<double> regularization = {};

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
