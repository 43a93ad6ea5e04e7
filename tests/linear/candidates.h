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
                         const Tolerance& tolerance) const;
};

/// A linear solver under test.
struct Candidate {
  enum class Needs { Nothing, Definite, Contraction };

  std::string name;
  LinearSolver solver;
  Needs needs = Needs::Nothing;
  /// The solver with this many iterations allowed; empty if it has no such limit.
  std::function<LinearSolver(std::int64_t)> limited = {};

  bool solves(const System& system) const;
};
void PrintTo(const Candidate& candidate, std::ostream* stream);

/// Every solver of the library with several options, and the user's own.
std::vector<Candidate> candidates();

}  // namespace stillpoint::test
