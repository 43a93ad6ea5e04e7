#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

namespace stillpoint::detail {

/// What goes from step to step of a frozen solve: the state; what the method remembers; and where there are
/// events, one number a sample. This is the time of the latest event less what it was found to be: zero, with
/// the graph of that time. All of it is one tensor, which is the state itself if there is nothing else.
class Carry {
 public:
  /// `like` is a state, and `memory` what the method remembers beside it.
  Carry(const at::Tensor& like, const std::vector<at::Tensor>& memory, bool has_events);

  bool has_events() const { return has_events_; }
  /// Whether it is the state alone.
  bool plain() const { return memory_shapes_.empty() && !has_events_; }
  /// With zeros for what is empty or undefined. `shift` is `[B]`, in double.
  at::Tensor pack(const at::Tensor& y, const std::vector<at::Tensor>& memory = {},
                  const at::Tensor& shift = {}) const;
  at::Tensor state(const at::Tensor& carry) const;
  std::vector<at::Tensor> memory(const at::Tensor& carry) const;
  /// `[B]`, in double; undefined without events.
  at::Tensor shift(const at::Tensor& carry) const;
  /// The same of `[B, N, …]`.
  at::Tensor states(const at::Tensor& carries) const;
  at::Tensor shifts(const at::Tensor& carries) const;

 private:
  using Shape = std::vector<std::int64_t>;  // of a sample

  Shape shape_;
  std::int64_t width_;
  std::vector<Shape> memory_shapes_;
  std::int64_t memory_width_ = 0;
  bool has_events_;
};

}  // namespace stillpoint::detail
