#include "stillpoint/core/tolerance.h"

#include <c10/util/Exception.h>

namespace stillpoint {
namespace {

struct Defaults {
  double relative;
  double absolute;
};

Defaults defaults_for(c10::ScalarType dtype) {
  switch (dtype) {
    case c10::ScalarType::Double:
      return {1e-10, 1e-12};
    case c10::ScalarType::Float:
      return {1e-5, 1e-6};
    default:
      return {1e-2, 1e-3};
  }
}

double checked(const char* field, double value) {
  TORCH_CHECK(value >= 0.0, "tolerance.", field, ": expected a number ≥ 0, got ", value);
  return value;
}

}  // namespace

ResolvedTolerance Tolerance::resolved(c10::ScalarType dtype) const {
  const Defaults defaults = defaults_for(dtype);
  return {.relative = checked("relative", relative.value_or(defaults.relative)),
          .absolute = checked("absolute", absolute.value_or(defaults.absolute)),
          .norm = norm};
}

}  // namespace stillpoint
