#include "stillpoint/ode/methods/runge_kutta.h"

namespace stillpoint::ode {

const Tableau& Euler::tableau() {
  static const Tableau tableau{.order = 1, .c = {0}, .a = {{}}, .b = {1}};
  return tableau;
}

const Tableau& Midpoint::tableau() {
  static const Tableau tableau{.order = 2, .c = {0, 0.5}, .a = {{}, {0.5}}, .b = {0, 1}};
  return tableau;
}

const Tableau& Heun::tableau() {
  static const Tableau tableau{.order = 2, .c = {0, 1}, .a = {{}, {1}}, .b = {0.5, 0.5}};
  return tableau;
}

const Tableau& Ralston::tableau() {
  static const Tableau tableau{.order = 2, .c = {0, 2.0 / 3}, .a = {{}, {2.0 / 3}}, .b = {0.25, 0.75}};
  return tableau;
}

const Tableau& Rk4::tableau() {
  static const Tableau tableau{.order = 4,
                               .c = {0, 0.5, 0.5, 1},
                               .a = {{}, {0.5}, {0, 0.5}, {0, 0, 1}},
                               .b = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6}};
  return tableau;
}

const Tableau& ThreeEighths::tableau() {
  static const Tableau tableau{.order = 4,
                               .c = {0, 1.0 / 3, 2.0 / 3, 1},
                               .a = {{}, {1.0 / 3}, {-1.0 / 3, 1}, {1, -1, 1}},
                               .b = {0.125, 0.375, 0.375, 0.125}};
  return tableau;
}

}  // namespace stillpoint::ode
