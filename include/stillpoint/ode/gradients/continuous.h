#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "stillpoint/core/solution.h"
#include "stillpoint/ode/control.h"
#include "stillpoint/ode/gradient.h"
#include "stillpoint/ode/method.h"

// Continuous adjoints: the derivative of the true solution, found as the solution of another differential
// equation, da/dt = −a ∂f/∂y, from the last output back to the first, which adds to a the gradient of each
// output on its way. (Differentiate, then discretize. Pontryagin et al. 1962; Chen et al. 2018, "Neural
// ordinary differential equations", appendix B.)
//
// **Exactness.** To the tolerance of both solves, for the true solution. For the numbers that the solver
// computed it is not exact: value and gradient agree only as far as the tolerance lets them. A backward pass
// is an `odeint` of its own, and with create_graph a differentiable one, so that derivatives of any order
// follow; those beyond the first are `Discrete` ones of that solve. The adjoint is solved in units of the
// largest gradient of each sample, so the scale of a loss does not matter to the tolerance.
//
// **Captured parameters** get their gradient by a sum on the steps that the adjoint takes, and over the
// batch: the sum of the method itself over its stages, or where samples have steps of their own, Gauss
// quadrature. It is neither part of the state nor of the error that chooses the steps. (Norcliffe, Deisenroth
// 2023, "Faster training of neural ODEs using Gauß–Legendre quadrature"; Kidger, Chen, Lyons 2021, "Hey,
// that's not an ODE".)
//
// **Cost.** Steps of the backward solve end at each output that has a gradient. Each stage is an evaluation
// that is recorded and pulled back, in y and once more in what is captured. With steps per sample there is
// one more for each node of the quadrature, three for methods of order 5; a method without dense output takes
// a shorter step for each. Where f has kinks, as ReLU has, the slope of the adjoint jumps, and a tight
// tolerance takes many more steps than the solve did: loosen `tolerance` there, or take `Discrete`.
//
// **Events and jumps** cut a solve into segments. Each has an adjoint of its own, of the same tolerance, and
// `max_steps` are those of a segment; what lies between two of them is ordinary autograd, through what `when`
// and `then` captured, too. The time of an event has derivatives up to the fifth order. A segment costs one
// recorded evaluation more, an event about ten, and the ends of all steps are kept while solving. A segment
// whose gradient is zero takes no backward solve.
//
// **Errors.** A c10::Error if f captures another tensor on the way than where the solve, or its segment,
// starts; and where there are events or jumps, if `.save` asks for more than the outputs, or if the method of
// the solve remembers something between steps. A sample that did not finish has no continuous gradient of the
// segment where it failed and of what follows: NaN, if one is asked for. What the backward solve did stands
// in `stats.backward`, of all segments together.
namespace stillpoint::ode {

/// The adjoint along the solution that the forward solve found: where steps started is kept, and each of them
/// is taken again when the backward solve comes to it. The continuous rule of choice: y is not solved for
/// backwards, which is unstable where the equation contracts.
///
/// **Memory.** One state a step. **Cost.** Beside the above, about the evaluations of the forward solve; with
/// steps per sample up to a step for each evaluation, as samples come to their steps at different times.
struct Interpolating {
  static constexpr bool saves_steps = true;
  static constexpr bool by_segments = true;

  // Of the backward solve; empty: those of the solve.
  std::optional<Method> method = {};           ///< a tableau
  std::optional<Control> control = {};         ///< of its steps
  std::optional<Tolerance> tolerance = {};     ///< of a step
  std::optional<std::int64_t> max_steps = {};  ///< ≥ 0
  OnFailure on_failure = OnFailure::Warn;      ///< if the backward solve does not finish

  std::int64_t states() const { return 0; }
  at::Tensor differentiate(const Frozen& frozen) const;
};

/// The adjoint along a y that is solved for backwards beside it, from the last output, and put back to what
/// it had been at each output.
///
/// **Memory.** The outputs. **Exactness.** Backwards, y follows the solution only as far as the equation lets
/// it: where it contracts at the rate l, errors grow by e^(l t) between two outputs. By how much y missed
/// what it had been is measured at each output and at the start; `stats.backward->reconstruction` has it in
/// units of the tolerance, and beyond `most_missed` there is a warning. Then take `Interpolating`, or ask for
/// more outputs.
struct Backsolve {
  static constexpr bool by_segments = true;

  // Of the backward solve; empty: those of the solve.
  std::optional<Method> method = {};           ///< a tableau
  std::optional<Control> control = {};         ///< of its steps
  std::optional<Tolerance> tolerance = {};     ///< of a step
  std::optional<std::int64_t> max_steps = {};  ///< ≥ 0
  OnFailure on_failure = OnFailure::Warn;      ///< if the backward solve does not finish, or misses y
  double most_missed = 100.0;                  ///< > 0, in units of the tolerance

  std::int64_t states() const { return 0; }
  at::Tensor differentiate(const Frozen& frozen) const;
};

}  // namespace stillpoint::ode
