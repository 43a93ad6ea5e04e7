#include "ode/slope.h"

#include <c10/util/Exception.h>

#include "core/check.h"

namespace stillpoint::detail {

at::Tensor Slope::operator()(const at::Tensor& t, const at::Tensor& y) const {
  ++evaluations_;
  const bool versioned = !y.is_inference();
  const std::int64_t version = versioned ? y.unsafeGetTensorImpl()->version_counter().current_version() : 0;
  at::Tensor slope;
  try {
    slope = field_.slope(t, y);
  } catch (c10::Error& error) {
    error.add_context(c10::str("thrown by f at a state of shape ", y.sizes(), ", ", y.scalar_type(), ", on ",
                               y.device(), ", and a time of shape ", t.sizes()));
    throw;
  }
  check_like("f", slope, y);
  check_no_transform("f", slope);
  TORCH_CHECK(!versioned || y.unsafeGetTensorImpl()->version_counter().current_version() == version,
              "f: expected it to leave y as it is, but it edited it in place; clone it first");
  return slope.is_contiguous() ? slope : slope.contiguous();
}

}  // namespace stillpoint::detail
