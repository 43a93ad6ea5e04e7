#include "ode/carry.h"

#include <ATen/Functions.h>

namespace stillpoint::detail {
namespace {

at::Tensor real_part(const at::Tensor& t) { return t.is_complex() ? at::real(t) : t; }

}  // namespace

Carry::Carry(const at::Tensor& like, bool has_events)
    : shape_(like.sizes().begin() + 1, like.sizes().end()), width_(1), has_events_(has_events) {
  for (const std::int64_t size : shape_) width_ *= size;
}

at::Tensor Carry::pack(const at::Tensor& y) const {
  if (!has_events_) return y;
  return pack(y, at::zeros({y.size(0)}, y.options().dtype(at::kDouble).requires_grad(false)));
}

at::Tensor Carry::pack(const at::Tensor& y, const at::Tensor& shift) const {
  if (!has_events_) return y;
  return at::cat({y.reshape({y.size(0), width_}), shift.to(y.scalar_type()).unsqueeze(1)}, 1);
}

at::Tensor Carry::state(const at::Tensor& carry) const {
  if (!has_events_) return carry;
  std::vector<std::int64_t> shape = shape_;
  shape.insert(shape.begin(), carry.size(0));
  return carry.narrow(1, 0, width_).reshape(shape);
}

at::Tensor Carry::shift(const at::Tensor& carry) const {
  return has_events_ ? real_part(carry.select(1, width_)).to(at::kDouble) : at::Tensor();
}

at::Tensor Carry::states(const at::Tensor& carries) const {
  if (!has_events_) return carries;
  std::vector<std::int64_t> shape = shape_;
  shape.insert(shape.begin(), {carries.size(0), carries.size(1)});
  return carries.narrow(2, 0, width_).reshape(shape);
}

at::Tensor Carry::shifts(const at::Tensor& carries) const {
  return real_part(carries.select(2, width_)).to(at::kDouble);
}

}  // namespace stillpoint::detail
