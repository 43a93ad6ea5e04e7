#pragma once

#include <vector>

#include "stillpoint/stillpoint.h"

namespace stillpoint::test {

/// Every solver that finds roots.
inline std::vector<RootSolver> root_solvers() {
  return {Newton{}, Dogleg{}, Broyden{}, Chord{}, NewtonKrylov{}, PseudoTransient{}, Auto{}};
}

}  // namespace stillpoint::test
