#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace stillpoint {

/// A map of a batch of samples `[B, …]` to one of the same shape, dtype and device. It must be deterministic,
/// must not edit its argument, and keeps what it captures alive if it captures by value. A backward pass may
/// call it again; several solves, or backward passes, in several threads call it at the same time. Samples
/// must not depend on each other: `[n]` means n samples of one number, so write one sample of n numbers as
/// `[1, n]`.
using Map = std::function<at::Tensor(const at::Tensor&)>;

/// The same for a state made of several tensors `[B, …]` with one B.
using TupleMap = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

/// A map with what belongs to each sample passed beside it, tensors `[B, …]`, so that it can be evaluated for
/// some of the samples. Samples must not depend on each other.
using MapWithInputs = std::function<at::Tensor(const at::Tensor& z, const std::vector<at::Tensor>& inputs)>;

/// Both: a state of several tensors, and what belongs to each sample beside it.
using TupleMapWithInputs = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& z,
                                                                 const std::vector<at::Tensor>& inputs)>;

/// Which equation a map states about its argument.
enum class Equation {
  FixedPoint,  ///< z = f(z): residual f(z) − z
  Root,        ///< f(z) = 0: residual f(z)
};

}  // namespace stillpoint
