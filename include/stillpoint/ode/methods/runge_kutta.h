#pragma once

#include "stillpoint/ode/tableau.h"

// Explicit Runge–Kutta methods. The order is that of the value; beside it that of the embedded one, which
// estimates the error. Methods without one need `ConstantStep`.
namespace stillpoint::ode {

/// Order 1. One evaluation a step. With step 1 it is a residual network.
struct Euler {
  static const Tableau& tableau();
};

/// Order 2, by the slope in the middle. Two evaluations a step.
struct Midpoint {
  static const Tableau& tableau();
};

/// Order 2, the explicit trapezoidal rule. Two evaluations a step. (Heun 1900.)
struct Heun {
  static const Tableau& tableau();
};

/// Order 2 with the least bound on the error. Two evaluations a step. (Ralston 1962.)
struct Ralston {
  static const Tableau& tableau();
};

/// Order 3(2). Three evaluations a step. Good for tolerances of 1e-2 or looser. (Bogacki, Shampine 1989.)
struct Bosh3 {
  static const Tableau& tableau();
};

/// Order 4, the classical method. Four evaluations a step. (Kutta 1901.)
struct Rk4 {
  static const Tableau& tableau();
};

/// Order 4, the 3/8 rule: smaller errors than the classical method. Four evaluations a step. (Kutta 1901.)
struct ThreeEighths {
  static const Tableau& tableau();
};

/// Order 5(4). Six evaluations a step. (Dormand, Prince 1980; dense output of order 4 by Shampine 1986.)
struct Dopri5 {
  static const Tableau& tableau();
};

/// Order 5(4), with smaller errors than Dopri5. Six evaluations a step. The default: take it unless you know
/// better. (Tsitouras 2011, with its dense output of order 4.)
struct Tsit5 {
  static const Tableau& tableau();
};

/// Order 7(6). Ten evaluations a step. For smooth equations and tolerances of 1e-8 or tighter; an output
/// inside a step costs as much as a step. (Verner 2010.)
struct Verner7 {
  static const Tableau& tableau();
};

/// Order 8(7). Thirteen evaluations a step. As Verner7, tighter still. (Prince, Dormand 1981.)
struct Dopri8 {
  static const Tableau& tableau();
};

}  // namespace stillpoint::ode
