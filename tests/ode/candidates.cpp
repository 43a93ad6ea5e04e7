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
          {.name = "AsynchronousLeapfrog", .method = ode::AsynchronousLeapfrog{}, .reversible = true},
          {.name = "ImplicitEuler", .method = ode::ImplicitEuler{}, .stiff = true},
          {.name = "Trapezoid", .method = ode::Trapezoid{}, .stiff = true},
          {.name = "ImplicitMidpoint", .method = ode::ImplicitMidpoint{}, .stiff = true},
          {.name = "TrBdf2", .method = ode::TrBdf2{}, .stiff = true},
          {.name = "Sdirk2", .method = ode::Sdirk2{}, .stiff = true},
          {.name = "Sdirk4", .method = ode::Sdirk4{}, .stiff = true},
          {.name = "Kvaerno3", .method = ode::Kvaerno3{}, .stiff = true},
          {.name = "Kvaerno5", .method = ode::Kvaerno5{}, .stiff = true}};
}

OdeintOptions tight_odeint() { return {.tolerance = {.relative = 1e-10, .absolute = 1e-12}}; }

}  // namespace stillpoint::test
