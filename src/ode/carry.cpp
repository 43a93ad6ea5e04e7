#include "ode/carry.h"

#include <ATen/Functions.h>

#include <functional>
#include <numeric>

namespace stillpoint::detail {
namespace {

at::Tensor real_part(const at::Tensor& t) { return t.is_complex() ? at::real(t) : t; }

std::vector<std::int64_t> sample_shape(const at::Tensor& t) {
  return {t.sizes().begin() + 1, t.sizes().end()};
}

std::int64_t width_of(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

// Columns of `[B, N]` as `[B, …]`.
at::Tensor part(const at::Tensor& carry, std::int64_t column, std::vector<std::int64_t> shape) {
  const std::int64_t width = width_of(shape);
  shape.insert(shape.begin(), carry.size(0));
  return carry.narrow(1, column, width).reshape(shape);
}

}  // namespace

Carry::Carry(const at::Tensor& like, const std::vector<at::Tensor>& memory, bool has_events)
    : shape_(sample_shape(like)), width_(width_of(shape_)), has_events_(has_events) {
  for (const at::Tensor& item : memory) {
    memory_shapes_.push_back(sample_shape(item));
    memory_width_ += width_of(memory_shapes_.back());
  }
}

at::Tensor Carry::pack(const at::Tensor& y, const std::vector<at::Tensor>& memory,
                       const at::Tensor& shift) const {
  if (plain()) return y;
  const std::int64_t batch = y.size(0);
  std::vector<at::Tensor> parts{y.reshape({batch, width_})};
  for (std::size_t i = 0; i < memory.size(); ++i)
    parts.push_back(memory[i].reshape({batch, width_of(memory_shapes_[i])}));
  const auto zeros = [&](std::int64_t width) {
    return at::zeros({batch, width}, y.options().requires_grad(false));
  };
  if (memory.empty() && memory_width_ > 0) parts.push_back(zeros(memory_width_));
  if (has_events_) parts.push_back(shift.defined() ? shift.to(y.scalar_type()).unsqueeze(1) : zeros(1));
  return at::cat(parts, 1);
}

at::Tensor Carry::state(const at::Tensor& carry) const { return plain() ? carry : part(carry, 0, shape_); }

std::vector<at::Tensor> Carry::memory(const at::Tensor& carry) const {
  std::vector<at::Tensor> memory;
  std::int64_t column = width_;
  for (const Shape& shape : memory_shapes_) {
    memory.push_back(part(carry, column, shape));
    column += width_of(shape);
  }
  return memory;
}

at::Tensor Carry::shift(const at::Tensor& carry) const {
  return has_events_ ? real_part(carry.select(1, width_ + memory_width_)).to(at::kDouble) : at::Tensor();
}

at::Tensor Carry::states(const at::Tensor& carries) const {
  if (plain()) return carries;
  Shape shape = shape_;
  shape.insert(shape.begin(), {carries.size(0), carries.size(1)});
  return carries.narrow(2, 0, width_).reshape(shape);
}

at::Tensor Carry::shifts(const at::Tensor& carries) const {
  return real_part(carries.select(2, width_ + memory_width_)).to(at::kDouble);
}

}  // namespace stillpoint::detail
