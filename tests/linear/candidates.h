#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "linear/systems.h"
#include "stillpoint/stillpoint.h"

namespace stillpoint::test {

/// A user's own solver: the matrix written out and handed to LibTorch.
struct ByLibTorch {
  Solution<Tensor> solve(const LinearOperator& a, const Tensor& b, const Tensor& /*x0*/,
                         const ResolvedTolerance& tolerance) const;
};

/// A linear solver under test, and what it claims.
struct LinearCandidate {
  enum class Needs { Nothing, Definite, Contraction };

  std::string name;  ///< letters and digits
  LinearSolver solver;
  Needs needs = Needs::Nothing;
  /// The solver with this many iterations allowed; empty if it has no such limit.
  std::function<LinearSolver(std::int64_t)> limited = {};
  bool goes_on_from_start = true;  ///< begins at x0, so that it takes no iteration from the solution
  bool samples_apart = true;       ///< what is done for one sample does not depend on the others
  bool of_the_library = true;      ///< keeps what the library's promise of tolerances, sizes and NaN

  bool solves(const System& system) const;
};
void PrintTo(const LinearCandidate& candidate, std::ostream* stream);

/// Every solver of the library with several options, and a user's own.
std::vector<LinearCandidate> linear_candidates();
/// Those of them that solve systems that are not symmetric.
std::vector<LinearCandidate> general_linear_candidates();

}  // namespace stillpoint::test
