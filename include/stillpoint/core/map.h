#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace stillpoint {

/// A map from a batch of samples `[B, …]` to one of the same shape, dtype and device.
///
/// - It must be deterministic and must not edit its argument.
/// - Samples must not depend on each other. `[n]` means n samples of one number; write one sample of n
///   numbers as `[1, n]`.
/// - A backward pass may call it again, so what it captures must live that long. Capturing by value ensures
///   that.
/// - Several solves or backward passes in several threads call it at the same time.
using Map = std::function<at::Tensor(const at::Tensor&)>;

/// The same for a state made of several tensors `[B, …]` with one common B.
using TupleMap = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

/// A map whose per-sample data are passed as `inputs`, tensors `[B, …]`, so that it can be evaluated for some
/// of the samples only. Samples must not depend on each other.
using MapWithInputs = std::function<at::Tensor(const at::Tensor& z, const std::vector<at::Tensor>& inputs)>;

/// Both: a state of several tensors, and per-sample data passed as `inputs`.
using TupleMapWithInputs = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& z,
                                                                 const std::vector<at::Tensor>& inputs)>;

}  // namespace stillpoint
