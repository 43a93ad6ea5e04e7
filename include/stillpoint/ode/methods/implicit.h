#pragma once

#include "stillpoint/ode/newton.h"
#include "stillpoint/ode/tableau.h"

// Diagonally implicit Runge–Kutta methods, for stiff equations: one whose solutions are pulled together much
// faster than they move, so that an explicit method takes steps for its stability and not for its accuracy.
// Each stage solves an equation, see `Newton`; a step costs two to four evaluations for each of them, and a
// Jacobian now and then.
//
// A-stable: no decaying equation y' = λy makes a step grow. L-stable: very fast decays vanish within a step.
// Stiffly accurate: the last stage is the next state. Where a stiff equation is driven, orders fall towards
// that of the stages, which is 2 for methods whose first stage is explicit, else 1.
//
// Samples of width N take B·N² numbers and, now and then, O(B·N³) operations.
namespace stillpoint::ode {

/// Order 5(4), L-stable, stiffly accurate. Six implicit stages. The stiff method of choice at tolerances of
/// 1e-4 or tighter. Its third stage looks 0.23 of a step beyond the end of the step, so f is called there.
/// (Kværnø 2004, "Singly diagonally implicit Runge–Kutta methods with an explicit first stage".)
struct Kvaerno5 {
  Newton newton = {};
  static const Tableau& tableau();
};

/// Order 3(2), L-stable, stiffly accurate. Three implicit stages. For tolerances of 1e-3 or looser.
/// (Kværnø 2004.)
struct Kvaerno3 {
  Newton newton = {};
  static const Tableau& tableau();
};

/// Order 2 with an estimate of order 3, L-stable, stiffly accurate: the trapezoidal rule, then a backward
/// difference. Two implicit stages. (Bank, Coughran, Fichtner, Grosse, Rose, Smith 1985; Hosea, Shampine
/// 1996.)
struct TrBdf2 {
  Newton newton = {};
  static const Tableau& tableau();
};

/// Order 2(1), L-stable, stiffly accurate. Two implicit stages. (Alexander 1977, "Diagonally implicit
/// Runge–Kutta methods for stiff O.D.E.s".)
struct Sdirk2 {
  Newton newton = {};
  static const Tableau& tableau();
};

/// Order 4(3), L-stable, stiffly accurate. Five implicit stages. (Hairer, Wanner, "Solving Ordinary
/// Differential Equations II", IV.6, table 6.5.)
struct Sdirk4 {
  Newton newton = {};
  static const Tableau& tableau();
};

/// Order 1, L-stable. One implicit stage. It needs `ConstantStep`.
struct ImplicitEuler {
  Newton newton = {};
  static const Tableau& tableau();
};

/// Order 2, A-stable, the implicit trapezoidal rule: very fast decays ring on. One implicit stage. It needs
/// `ConstantStep`.
struct Trapezoid {
  Newton newton = {};
  static const Tableau& tableau();
};

/// Order 2, A-stable and symplectic. One implicit stage. It needs `ConstantStep`.
struct ImplicitMidpoint {
  Newton newton = {};
  static const Tableau& tableau();
};

}  // namespace stillpoint::ode
