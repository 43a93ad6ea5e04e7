#include "stillpoint/equations/checked_map.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <string>

#include "core/check.h"

namespace stillpoint {
namespace {

// As at::Tensor::_version(), without its detour through the autograd library: this is asked at every step.
std::int64_t version_of(const at::Tensor& z) {
  return z.unsafeGetTensorImpl()->version_counter().current_version();
}

at::Tensor call(const Map& f, const std::string& name, const at::Tensor& z) {
  const bool versioned = !z.is_inference();
  const std::int64_t version = versioned ? version_of(z) : 0;
  at::Tensor result = detail::evaluate(f, name.c_str(), z, "z0 or z");
  TORCH_CHECK(!versioned || version_of(z) == version, name,
              ": expected it to leave its argument as it is, but it edited it in place; clone it first");
  if (!result.is_contiguous()) result = result.contiguous();
  return result;
}

}  // namespace

at::Tensor CheckedMap::operator()(const at::Tensor& z) const {
  ++evaluations_;
  return call(condition_.map, condition_.name, z);
}

at::Tensor CheckedMap::residual(const at::Tensor& z) const { return condition_.residual(z, (*this)(z)); }

at::Tensor CheckedMap::evaluate_part(const Map& part, const at::Tensor& z) const {
  return call(part, condition_.name, z);
}

Tape CheckedMap::record(const at::Tensor& z) const {
  ++evaluations_;
  return Tape(checked_map(), z);
}

Condition CheckedMap::checked() const {
  Condition checked = condition_;
  checked.map = checked_map();
  return checked;
}

Map CheckedMap::checked_map() const {
  return [f = condition_.map, name = condition_.name](const at::Tensor& z) { return call(f, name, z); };
}

}  // namespace stillpoint
