#include "stillpoint/ode/methods/runge_kutta.h"

namespace stillpoint::ode {
namespace {

// Shampine's dense output as Hairer, Nørsett, Wanner, "Solving Ordinary Differential Equations I", II.6, have
// it: b_i(θ) = θ (b + (1 − θ)(r3 + θ (r4 + (1 − θ) d))) with r3 = first − b and r4 = b − last − r3.
std::vector<double> interpolant(double b, double d, double first, double last) {
  const double r3 = first - b;
  const double r4 = b - last - r3;
  return {b + r3, r4 + d - r3, -r4 - 2 * d, d};
}

}  // namespace

// Dormand, Prince 1980, "A family of embedded Runge-Kutta formulae".
const Tableau& Dopri5::tableau() {
  static const Tableau tableau{
      .order = 5,
      .embedded_order = 4,
      .c = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1},
      .a = {{},
            {1.0 / 5},
            {3.0 / 40, 9.0 / 40},
            {44.0 / 45, -56.0 / 15, 32.0 / 9},
            {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
            {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
            {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}},
      .b = {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84, 0},
      .error = {71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40},
      .interpolant = {interpolant(35.0 / 384, -12715105075.0 / 11282082432, 1, 0), interpolant(0, 0, 0, 0),
                      interpolant(500.0 / 1113, 87487479700.0 / 32700410799, 0, 0),
                      interpolant(125.0 / 192, -10690763975.0 / 1880347072, 0, 0),
                      interpolant(-2187.0 / 6784, 701980252875.0 / 199316789632, 0, 0),
                      interpolant(11.0 / 84, -1453857185.0 / 822651844, 0, 0),
                      interpolant(0, 69997945.0 / 29380423, 0, 1)}};
  return tableau;
}

}  // namespace stillpoint::ode
