#pragma once

#include <optional>

#include "stillpoint/equations/fixed_point.h"

namespace stillpoint::test {

/// A user's own solver: half steps, whatever the samples do.
struct HalfSteps {
  void solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
    at::Tensor z = z0;
    while (true) {
      const at::Tensor fz = f(z);
      if (!monitor.update(z, fz)) return;
      z = 0.5 * (z + fz);
    }
  }
};

/// A user's own gradient rule: the derivative of two evaluations at the solution.
struct TwoEvaluations {
  at::Tensor differentiate(stillpoint::Problem& problem) const {
    return problem.f(problem.f(problem.solve()));
  }
};

}  // namespace stillpoint::test
