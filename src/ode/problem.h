#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

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

/// What is solved, all of it as functions of one tensor.
struct Problem {
  ode::VectorField field;
  ode::Method method;
  std::vector<FlatEvent> events = {};
  StateMap jump = {};
};

}  // namespace stillpoint::detail
