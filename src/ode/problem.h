#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "ode/span.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/ode/control.h"
#include "stillpoint/ode/event.h"
#include "stillpoint/ode/method.h"
#include "stillpoint/ode/vector_field.h"

namespace stillpoint::detail {

/// A map of time and a state of one tensor to such a state; empty: nothing changes.
using StateMap = std::function<at::Tensor(const at::Tensor& t, const at::Tensor& y)>;

/// An event of a state of one tensor, with checks.
struct FlatEvent {
  StateMap when;  ///< `[B]` in double
  ode::Crossing crossing;
  std::int64_t terminal;
  StateMap then;
};

/// What becomes of the state at a jump. `columns`, one a clock, are of those in the schedule that it came to.
using JumpMap = std::function<at::Tensor(const std::vector<std::int64_t>& columns, const at::Tensor& t,
                                         const at::Tensor& y)>;

/// A step that these samples take, for one who looks on.
struct SeenStep {
  const Span& span;
  const Mask& moving;
  const std::vector<at::Tensor>& slopes;                               ///< at the stages of a tableau
  std::function<at::Tensor(const std::vector<double>& times)> inside;  ///< the states at times, one a clock
};

/// What is solved, all of it as functions of one tensor.
struct Problem {
  ode::VectorField field;
  ode::Method method;
  std::vector<FlatEvent> events = {};
  JumpMap jump = {};
  std::function<void(const SeenStep& step)> each_step = {};  ///< empty: nobody looks on
  ode::Tolerance tolerance = {};  ///< of a step: in its units implicit stages are solved
};

}  // namespace stillpoint::detail
