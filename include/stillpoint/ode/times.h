#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <vector>

namespace stillpoint::ode {

/// The times at which the solution is wanted, the first of them the start: `{t0, t1}`, or a tensor `[T]`, or
/// `[B, T]` with a row for each sample. They rise or they fall, each row as it likes, and may repeat. They
/// are kept in double. A tensor that requires a gradient gets one, in every entry.
struct Times {
  Times(std::initializer_list<double> list);
  Times(const std::vector<double>& list);  // NOLINT(google-explicit-constructor): written as {t0, t1}
  Times(at::Tensor tensor);                // NOLINT(google-explicit-constructor)

  at::Tensor values;
};

}  // namespace stillpoint::ode
