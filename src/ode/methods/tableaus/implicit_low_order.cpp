#include <cmath>

#include "ode/methods/tableaus/hermite.h"
#include "stillpoint/ode/methods/implicit.h"

namespace stillpoint::ode {

// Hosea, Shampine 1996, "Analysis and implementation of TR-BDF2", Appl. Numer. Math. 20.
const Tableau& TrBdf2::tableau() {
  static const Tableau tableau = [] {
    const double g = 2.0 - std::sqrt(2.0);
    const double w = std::sqrt(2.0) / 4;
    const double d = g / 2;
    const std::vector<double> b{w, w, d};
    return Tableau{.order = 2,
                   .embedded_order = 2,
                   .c = {0, g, 1},
                   .a = {{}, {d, d}, b},
                   .b = b,
                   .error = {w - (1 - w) / 3, w - (3 * w + 1) / 3, d - d / 3},
                   .interpolant = stillpoint::detail::hermite(b),
                   .damped_error = true};
  }();
  return tableau;
}

// Alexander 1977, with Euler's method by the first stage beside it.
const Tableau& Sdirk2::tableau() {
  static const Tableau tableau = [] {
    const double g = 1.0 - std::sqrt(0.5);
    return Tableau{.order = 2,
                   .embedded_order = 1,
                   .c = {g, 1},
                   .a = {{g}, {1 - g, g}},
                   .b = {1 - g, g},
                   .error = {-g, g},
                   .damped_error = true};
  }();
  return tableau;
}

// Hairer, Wanner, "Solving Ordinary Differential Equations II", IV.6, table 6.5.
const Tableau& Sdirk4::tableau() {
  static const Tableau tableau{
      .order = 4,
      .embedded_order = 3,
      .c = {1.0 / 4, 3.0 / 4, 11.0 / 20, 1.0 / 2, 1},
      .a = {{1.0 / 4},
            {1.0 / 2, 1.0 / 4},
            {17.0 / 50, -1.0 / 25, 1.0 / 4},
            {371.0 / 1360, -137.0 / 2720, 15.0 / 544, 1.0 / 4},
            {25.0 / 24, -49.0 / 48, 125.0 / 16, -85.0 / 12, 1.0 / 4}},
      .b = {25.0 / 24, -49.0 / 48, 125.0 / 16, -85.0 / 12, 1.0 / 4},
      .error = {25.0 / 24 - 59.0 / 48, -49.0 / 48 + 17.0 / 96, 125.0 / 16 - 225.0 / 32, 0, 1.0 / 4},
      .damped_error = true};
  return tableau;
}

const Tableau& ImplicitEuler::tableau() {
  static const Tableau tableau{.order = 1, .c = {1}, .a = {{1}}, .b = {1}};
  return tableau;
}

const Tableau& Trapezoid::tableau() {
  static const Tableau tableau{.order = 2,
                               .c = {0, 1},
                               .a = {{}, {0.5, 0.5}},
                               .b = {0.5, 0.5},
                               .interpolant = stillpoint::detail::hermite({0.5, 0.5})};
  return tableau;
}

const Tableau& ImplicitMidpoint::tableau() {
  static const Tableau tableau{.order = 2, .c = {0.5}, .a = {{0.5}}, .b = {1}};
  return tableau;
}

}  // namespace stillpoint::ode
