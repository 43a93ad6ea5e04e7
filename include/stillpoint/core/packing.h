#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/core/map.h"

namespace stillpoint {

/// Turns a state of several tensors `[B, …]` into one tensor `[B, N]` and back. Both directions are
/// differentiable.
class Packing {
 public:
  /// Remembers the shapes of `like`: at least one tensor; all `[B, …]` with the same B, dtype and device.
  explicit Packing(const std::vector<at::Tensor>& like);

  /// `[B, N]`, one sample per row; this copies. Throws if a shape, dtype or device differs from `like`.
  at::Tensor pack(const std::vector<at::Tensor>& state) const;
  /// The tensors that `packed` holds, in the remembered shapes; views where strides allow it.
  std::vector<at::Tensor> unpack(const at::Tensor& packed) const;
  /// `f` as a map of packed states.
  Map pack(TupleMap f) const;
  /// The same with inputs, for any number of samples.
  MapWithInputs pack(TupleMapWithInputs f) const;

 private:
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<int64_t> widths_;
  at::TensorOptions options_;
};

}  // namespace stillpoint
