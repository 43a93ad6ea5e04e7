#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "stillpoint/ode/odeint.h"
#include "support/device.h"

namespace stillpoint::test {

/// A method under test.
struct MethodCandidate {
  std::string name;  ///< letters and digits
  ode::Method method;
  bool separable = false;  ///< of systems of positions and momenta only
  bool reversible = false;
  bool stiff = false;  ///< made for stiff equations
};
std::ostream& operator<<(std::ostream& out, const MethodCandidate& candidate);

/// Every method of odeint.
std::vector<MethodCandidate> method_candidates();

/// As accurate as double allows with some room.
OdeintOptions tight_odeint();

/// A continuous adjoint whose own solve is accurate, too.
template <class Rule>
Rule tight_adjoint() {
  Rule rule;
  rule.tolerance = {.relative = 1e-8, .absolute = 1e-10};
  return rule;
}

}  // namespace stillpoint::test
