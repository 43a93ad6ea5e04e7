#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

namespace stillpoint::detail {

/// What goes from step to step of a frozen solve: the state, and where there are events, beside it one number
/// a sample. This is the time of the latest event less what it was found to be: zero, with the graph of that
/// time.
class Carry {
 public:
  /// `like` is a state.
  Carry(const at::Tensor& like, bool has_events);

  bool has_events() const { return has_events_; }
  /// With zeros for the times.
  at::Tensor pack(const at::Tensor& y) const;
  /// `shift` is `[B]`, in double.
  at::Tensor pack(const at::Tensor& y, const at::Tensor& shift) const;
  at::Tensor state(const at::Tensor& carry) const;
  /// `[B]`, in double; undefined without events.
  at::Tensor shift(const at::Tensor& carry) const;
  /// The same of `[B, N, …]`.
  at::Tensor states(const at::Tensor& carries) const;
  at::Tensor shifts(const at::Tensor& carries) const;

 private:
  std::vector<std::int64_t> shape_;  // of a sample
  std::int64_t width_;
  bool has_events_;
};

}  // namespace stillpoint::detail
