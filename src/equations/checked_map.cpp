#include "stillpoint/equations/checked_map.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include "core/check.h"
#include "stillpoint/equations/monotone.h"

namespace stillpoint {
namespace {

// As at::Tensor::_version(), without its detour through the autograd library: this is asked at every step.
std::int64_t version_of(const at::Tensor& z) {
  return z.unsafeGetTensorImpl()->version_counter().current_version();
}

at::Tensor call(const Map& f, const char* name, const at::Tensor& z) {
  const bool versioned = !z.is_inference();
  const std::int64_t version = versioned ? version_of(z) : 0;
  at::Tensor result = detail::evaluate(f, name, z, "z0 or z");
  TORCH_CHECK(!versioned || version_of(z) == version, name,
              ": expected it to leave its argument as it is, but it edited it in place; clone it first");
  if (!result.is_contiguous()) result = result.contiguous();
  return result;
}

}  // namespace

at::Tensor CheckedMap::operator()(const at::Tensor& z) const {
  ++evaluations_;
  return call(f_, name_, z);
}

at::Tensor CheckedMap::residual(const at::Tensor& z) const {
  at::Tensor fz = (*this)(z);
  return equation_ == Equation::FixedPoint ? fz - z : fz;
}

const MonotoneMap& CheckedMap::monotone(const char* solver) const {
  TORCH_CHECK(monotone_ != nullptr, name_, ": ", solver,
              " needs the map in its parts, expected fixed_point(MonotoneMap{…}, …), got a plain map");
  return *monotone_;
}

at::Tensor CheckedMap::affine(const at::Tensor& z) const {
  ++evaluations_;
  return call(monotone_->affine, name_, z);
}

at::Tensor CheckedMap::activation(const at::Tensor& v) const { return call(monotone_->activation, name_, v); }

Tape CheckedMap::record(const at::Tensor& z) const {
  ++evaluations_;
  return Tape(checked(), z);
}

Map CheckedMap::checked() const {
  return [f = f_, name = name_](const at::Tensor& z) { return call(f, name, z); };
}

}  // namespace stillpoint
