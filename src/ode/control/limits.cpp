#include "ode/control/limits.h"

#include <c10/util/Exception.h>

#include "core/dtype.h"

namespace stillpoint::detail {
namespace {

double checked(const char* field, double value) {
  TORCH_CHECK(value >= 0.0, "tolerance.", field, ": expected a number ≥ 0, got ", value);
  return value;
}

}  // namespace

Limits::Limits(const ode::Tolerance& tolerance, at::ScalarType dtype) : absolute(1e-6), relative(1e-4) {
  const at::ScalarType real = c10::toRealValueType(dtype);
  if (real == at::kDouble) {
    absolute = 1e-8;
    relative = 1e-6;
  } else if (is_half_precision(real)) {
    absolute = 1e-3;
    relative = 1e-2;
  }
  absolute = checked("absolute", tolerance.absolute.value_or(absolute));
  relative = checked("relative", tolerance.relative.value_or(relative));
}

}  // namespace stillpoint::detail
