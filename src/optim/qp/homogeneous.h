#pragma once

#include <cstdint>

#include "optim/qp/instance.h"

namespace stillpoint::detail {

/// An interior point method on the homogeneous embedding of a program, after Goulart and Chen (2024):
///   Qx + A'y + G'z + pτ = 0,  Ax = bτ,  Gx + s = hτ,  κ + p'x + b'y + h'z + x'Qx/τ = 0,  s, z, τ, κ ≥ 0.
/// x/τ is a solution if τ > 0; if it vanishes, y and z, or x, prove that there is none. The rows of A are
/// independent, and those of G, Q and p have a size of about 1. The outcome is optimal once its error is
/// within the tolerance, or once its certificate is; it has no active set.
Outcome solve_homogeneous(const Instance& program, double tolerance, std::int64_t max_iterations);

}  // namespace stillpoint::detail
