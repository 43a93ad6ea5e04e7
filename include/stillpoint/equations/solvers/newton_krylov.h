#pragma once

#include "stillpoint/equations/solver.h"
#include "stillpoint/linear/solvers/gmres.h"

namespace stillpoint {

/// Newton's method with the step from GMRES, on exact Jacobian products. It writes out no Jacobian, so it
/// suits wide samples. An iteration costs one recorded evaluation for each step tried, and as many replayed
/// products as the inner solve takes. Memory for the basis of the inner solve.
///
/// The inner solve is only as accurate as pays (forcing term 2 of Eisenstat and Walker 1996, with their
/// safeguards, γ = 0.9, α = (1 + √5) / 2). One solve serves the batch, so it takes the tightest tolerance
/// that a running sample asks for. A step must decrease the residual of its sample (Armijo, factor 1e-4). It
/// is halved at most `max_halvings` times until it does.
struct NewtonKrylov {
  static constexpr bool solves_roots = true;
  LinearSolver linear_solver = Gmres{};  ///< of A d = r with A = −∂r/∂z; it sees only products with A
  double max_forcing = 0.5;              ///< in (0, 1): the loosest relative tolerance of an inner solve
  std::int64_t max_halvings = 8;         ///< ≥ 0

  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const;
};

}  // namespace stillpoint
