#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stillpoint/autograd/unroll.h"
#include "stillpoint/core/packing.h"
#include "stillpoint/ode/vector_field.h"

namespace stillpoint::detail {

/// A state of several tensors as one, `[B, N]`.
class PackedState {
 public:
  explicit PackedState(const State& y0);

  at::Tensor pack(const State& y) const { return packing_.pack(y); }
  State unpack(const at::Tensor& y) const { return packing_.unpack(y); }
  /// As it broadcasts against the first tensor.
  at::Tensor time(const at::Tensor& t) const;
  ode::VectorField flat(const ode::TupleVectorField& f) const;
  /// Of `[B, T, N]`: lists of `[B, T, …]`.
  State unpack_all(const at::Tensor& values) const;

 private:
  Packing packing_;
  std::int64_t dims_;
  std::vector<std::vector<std::int64_t>> shapes_;
};

}  // namespace stillpoint::detail
