#pragma once

#include <optional>

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Where Broyden's approximation of the inverse of A = −∂r/∂z begins.
enum class BroydenStart {
  Identity,  ///< as if f were constant: the first step is the plain one, f(z) − z or g(z)
  Jacobian,  ///< the inverse of the Jacobian at the start, per sample: N products, B·N² numbers
};

/// Broyden's good method, for each sample by itself. One evaluation per iteration and no Jacobian products.
/// Superlinear convergence.
///
/// The inverse of A is kept as its start and at most `memory` rank-one updates. When they are full, they are
/// dropped. So memory is 2 · `memory` + 6 vectors, and nothing degrades into NaN.
///
/// From the identity an affine map is solved in 2N steps, and the residual may grow a thousand times and more
/// on the way. So with memory for 2N updates, the first 2N steps may go anywhere finite. Other steps are
/// taken back if their residual is not finite, or over 30 times the smallest of their sample so far. The
/// sample returns to where that was, and its next steps are shortened, by half for each time in a row. Until
/// it has a smaller residual again, its limit is twice the smallest. The updates stay, unless the residual is
/// not finite. If the start was the Jacobian, it is computed again there, and the updates are dropped.
/// (Broyden 1965; 2N steps: Gay 1979, SIAM J. Numer. Anal. 16(4); the limited-memory form as in Bai, Kolter,
/// Koltun 2019, appendix; restarts as in Kelley 1995, section 7.3; the limits by measurement.)
struct Broyden {
  static constexpr bool solves_roots = true;
  std::int64_t memory = 20;                ///< ≥ 1: updates kept
  std::optional<BroydenStart> start = {};  ///< empty: Identity for fixed points, Jacobian for roots

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse = nullptr) const;
};

}  // namespace stillpoint
