#pragma once

#include <c10/core/ScalarType.h>

#include "stillpoint/ode/control.h"

namespace stillpoint::detail {

/// A tolerance with its fields filled in.
struct Limits {
  double absolute;
  double relative;

  /// Throws if a field is negative or NaN.
  Limits(const ode::Tolerance& tolerance, at::ScalarType dtype);
};

}  // namespace stillpoint::detail
