#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "optim/qp/kkt_residual.h"

namespace stillpoint::detail {

/// The parts of a program by number.
enum : std::size_t { kQ, kP, kG, kH, kA, kB, kLower, kUpper, kParts };
using WantedParts = std::array<bool, kParts>;

/// The parts in that order, defined or not; `Program` is a `QuadraticProgram`, const or not.
template <class Program>
auto parts_of(Program& program) {
  return std::array{&program.Q, &program.p, &program.G,     &program.h,
                    &program.A, &program.b, &program.lower, &program.upper};
}

/// Whether the functions below can be used: in double on the CPU.
bool fits_fused(const at::Tensor& state);

/// The conditions, and their products with v, as `kkt_residual` has them, each sample in one pass. None
/// records anything.
at::Tensor fused_conditions(const KktTerms& terms, const at::Tensor& state);
at::Tensor fused_state_gradient(const KktTerms& terms, const at::Tensor& state, const at::Tensor& v);
/// Undefined for parts that are not wanted. Cost: the numbers of the gradients, written once.
std::array<at::Tensor, kParts> fused_part_gradients(const KktTerms& terms, const at::Tensor& state,
                                                    const at::Tensor& v, const WantedParts& wanted);

}  // namespace stillpoint::detail
