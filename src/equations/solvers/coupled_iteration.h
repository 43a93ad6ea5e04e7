#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "stillpoint/core/mask.h"
#include "stillpoint/equations/solvers/reversible.h"

// The iteration of Reversible, and a step of it backwards. See there.
namespace stillpoint::detail {

/// In double, `[B, …]` each.
struct CoupledPair {
  at::Tensor y;
  at::Tensor z;
};

/// (1 − mixing) x + mixing fx for the marked samples; the others stay where they are.
at::Tensor mix(const at::Tensor& x, const at::Tensor& fx, double mixing, const Mask& running);
/// The x that was mixed.
at::Tensor unmix(const at::Tensor& mixed, const at::Tensor& fx, double mixing, const Mask& running);

/// Runs it from z0 until the monitor ends it: the latest pair. `taken` is told of each step, with who took it
/// and where it led.
CoupledPair iterate(const Reversible& solver, const CheckedMap& f, const at::Tensor& z0, Monitor& monitor,
                    const std::function<void(const Mask& running, const CoupledPair& pair)>& taken);

}  // namespace stillpoint::detail
