#include "ode/candidates.h"

namespace stillpoint::test {

std::ostream& operator<<(std::ostream& out, const MethodCandidate& candidate) {
  return out << candidate.name;
}

// A new method enters here, and nowhere else.
std::vector<MethodCandidate> method_candidates() {
  return {{"Euler", ode::Euler{}},
          {"Midpoint", ode::Midpoint{}},
          {"Heun", ode::Heun{}},
          {"Ralston", ode::Ralston{}},
          {"Bosh3", ode::Bosh3{}},
          {"Rk4", ode::Rk4{}},
          {"ThreeEighths", ode::ThreeEighths{}},
          {"Dopri5", ode::Dopri5{}},
          {"Tsit5", ode::Tsit5{}},
          {"Verner7", ode::Verner7{}},
          {"Dopri8", ode::Dopri8{}},
          {"AdamsBashforthMoulton", ode::AdamsBashforthMoulton{}},
          {.name = "SemiImplicitEuler",
           .method = ode::SemiImplicitEuler{},
           .separable = true,
           .reversible = true},
          {.name = "Leapfrog", .method = ode::Leapfrog{}, .separable = true, .reversible = true},
          {.name = "ReversibleHeun", .method = ode::ReversibleHeun{}, .reversible = true},
          {.name = "AsynchronousLeapfrog", .method = ode::AsynchronousLeapfrog{}, .reversible = true}};
}

OdeintOptions tight_odeint() { return {.tolerance = {.relative = 1e-10, .absolute = 1e-12}}; }

}  // namespace stillpoint::test
