#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "stillpoint/equations/gradient.h"
#include "stillpoint/equations/solver.h"

namespace stillpoint::test {

/// What a solver claims.
struct SolverClaims {
  enum class Needs { Nothing, Contraction, MonotoneMap };

  Needs needs = Needs::Nothing;
  bool leaves_inverse = false;  ///< for the backward pass
  bool by_matrix = false;       ///< goes by the matrix of the Jacobian, also where that is singular
  bool in_one_step = true;      ///< solves a map that is constant
  int systems = 0;              ///< of the standard ones, that it solves at least
  /// The solver with this first step, in units of time of dz/dt = r(z); empty if it does not follow that.
  std::function<RootSolver(double)> in_time = {};
};

/// A solver under test.
struct SolverCandidate {
  std::string name;  ///< letters and digits
  FixedPointSolver solver;
  std::optional<RootSolver> of_roots;  ///< the same solver, if it finds roots as well
  SolverClaims claims;
};
std::ostream& operator<<(std::ostream& out, const SolverCandidate& candidate);

struct RootCandidate {
  std::string name;
  RootSolver solver;
  SolverClaims claims;
};

/// Every solver of any map, with several options, and a user's own.
std::vector<SolverCandidate> solver_candidates();
/// Those of them that find roots.
std::vector<RootCandidate> root_candidates();
/// Those of them that leave an inverse, or that do not.
std::vector<SolverCandidate> inverse_candidates(bool leave = true);
/// Every solver that needs a MonotoneMap.
std::vector<SolverCandidate> monotone_candidates();

/// A gradient rule under test, with a solver that it goes with.
struct GradientCandidate {
  enum class Exact { No, AtTheSolution, OfTheSteps };

  std::string name;  ///< letters and digits
  FixedPointSolver solver;
  GradientRule gradient;
  Exact exact;
};
std::ostream& operator<<(std::ostream& out, const GradientCandidate& candidate);

/// Every gradient rule, with several options, and a user's own.
std::vector<GradientCandidate> gradient_candidates();

}  // namespace stillpoint::test
