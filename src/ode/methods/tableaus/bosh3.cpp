#include "stillpoint/ode/methods/runge_kutta.h"

namespace stillpoint::ode {

// Bogacki, Shampine 1989, "A 3(2) pair of Runge-Kutta formulas". Dense output: the cubic through both ends
// and their slopes, θ²(3 − 2θ) b_i, with θ(1 − θ)² for the first stage and θ²(θ − 1) for the last.
const Tableau& Bosh3::tableau() {
  static const Tableau tableau{
      .order = 3,
      .embedded_order = 2,
      .c = {0, 1.0 / 2, 3.0 / 4, 1},
      .a = {{}, {1.0 / 2}, {0, 3.0 / 4}, {2.0 / 9, 1.0 / 3, 4.0 / 9}},
      .b = {2.0 / 9, 1.0 / 3, 4.0 / 9, 0},
      .error = {-5.0 / 72, 1.0 / 12, 1.0 / 9, -1.0 / 8},
      .interpolant = {
          {1, 3 * 2.0 / 9 - 2, 1 - 2 * 2.0 / 9}, {0, 1, -2.0 / 3}, {0, 4.0 / 3, -8.0 / 9}, {0, -1, 1}}};
  return tableau;
}

}  // namespace stillpoint::ode
