#pragma once

#include <optional>

#include "stillpoint/equations/solver.h"

namespace stillpoint {

/// Where Broyden's approximation of the inverse of A = −∂r/∂z begins.
enum class BroydenStart {
  Identity,  ///< as if f were constant: the first step is the plain one, f(z) − z or g(z)
  Jacobian,  ///< the inverse of the Jacobian at the start, sample by sample: N products, B·N² numbers
};

/// Broyden's good method, for each sample by itself: one evaluation an iteration and no Jacobian products.
/// The inverse of A is kept as its start and at most `memory` rank-one updates; when they are full, they are
/// dropped, so memory is 2 · `memory` + 6 vectors and nothing degrades into NaN. Superlinear convergence.
///
/// From the identity an affine map is solved in 2N steps, and the residual may grow a thousand times and more
/// on the way; so with memory for 2N updates the first 2N steps go anywhere finite. Other steps whose
/// residual is over 30 times the smallest of their sample so far, or not finite, are taken back to where that
/// was, and the next ones are shortened, by half for each time in a row. Until that sample has a smaller
/// residual again, twice the smallest is its limit. The updates stay, unless the residual is not finite; a
/// Jacobian at the start is computed again there, and the updates are dropped. (Broyden 1965; 2N steps: Gay
/// 1979, SIAM J. Numer. Anal. 16(4); the limited-memory form as in Bai, Kolter, Koltun 2019, appendix;
/// restarts as in Kelley 1995, section 7.3; the limits by measurement.)
struct Broyden {
  static constexpr const char* name = "Broyden";
  static constexpr bool solves_roots = true;
  std::int64_t memory = 20;                ///< ≥ 1: updates kept
  std::optional<BroydenStart> start = {};  ///< empty: Identity for fixed points, Jacobian for roots

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
