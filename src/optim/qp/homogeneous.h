#pragma once

#include <functional>

#include "optim/qp/instance.h"

namespace stillpoint::detail {

/// An interior point method on the homogeneous embedding of a program, after Goulart and Chen (2024):
///   Qx + C'l + pτ = 0,  Cx + s = dτ,  κ + p'x + d'l + x'Qx/τ = 0,  s, l ≥ 0 for inequalities, τ, κ ≥ 0.
/// x/τ is a solution if τ > 0; if it vanishes, l or x prove that there is none. C is A, of independent rows,
/// with G below it, and the rows of C, Q and p have a size of about 1. The outcome is optimal once its error
/// is within the tolerance, or once its certificate is; its active rows are a guess. The system is
/// `ComplementSystem`, `NormalSystem` or `SparseSystem`.
///
/// Before that `polish` is called once, with an iterate at which the active rows usually show; if it returns
/// true the method ends there.
template <class System>
Outcome solve_homogeneous(System system, const Vector& p, const Vector& d, const InstanceOptions& options,
                          const std::function<bool(const Outcome&)>& polish);

}  // namespace stillpoint::detail
