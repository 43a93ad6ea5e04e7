#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "stillpoint/core/solution.h"
#include "stillpoint/optim/interior_point.h"
#include "stillpoint/optim/program_solution.h"
#include "stillpoint/optim/smoothing.h"

namespace stillpoint {
namespace optim {

/// Minimize ½x'Qx + p'x subject to Gx ≤ h, Ax = b, lower ≤ x ≤ upper.
///
/// Every part may be left out, G and h, and A and b, in pairs. Each has the shape given below, which all
/// samples share, or that with a batch dimension before it. Without Q it is a linear program. Only the
/// symmetric part of Q counts. Infinite bounds and +∞ in h are no constraints.
struct QuadraticProgram {
  at::Tensor Q = {};      ///< `[n, n]`, positive semidefinite
  at::Tensor p = {};      ///< `[n]`
  at::Tensor G = {};      ///< `[m, n]`
  at::Tensor h = {};      ///< `[m]`
  at::Tensor A = {};      ///< `[k, n]`; rows may depend on each other
  at::Tensor b = {};      ///< `[k]`
  at::Tensor lower = {};  ///< `[n]`
  at::Tensor upper = {};  ///< `[n]`
};

}  // namespace optim

/// Options of `quadratic_program`. The defaults suit most programs.
struct QuadraticProgramOptions {
  optim::InteriorPoint solver = {};
  optim::Smoothing smoothing = {};  ///< `optim::Ridge{ε}`, `optim::Barrier{μ}` or `optim::Perturbed{…}`
  /// The solution of a program with the same shapes. If its active set is still the right one, or nearly, a
  /// sample needs no interior point iterations. It never changes what is found. Not used with a barrier.
  std::optional<optim::ProgramSolution> warm_start = {};
  optim::OnInfeasible on_infeasible = optim::OnInfeasible::Nan;
  /// > 0: largest primal residual, dual residual and gap of a solution, and of the last interior iterate,
  /// each relative to the size of its terms. Empty: 1e-9 for double, 1e-7 for float.
  std::optional<double> tolerance = {};
  OnFailure on_failure = OnFailure::Warn;  ///< of the solve and of backward solves
};

/// Solves a batch of programs. The result is differentiable, to any order, in all parts that were given.
///
/// **Result.** x, the duals and the slack, with the dtype of the program's parts; a single program is a batch
/// of one. One sample that fails leaves the others as they are, to the bit. It has x of NaN where there is no
/// solution, and its last iterate where the method did not get there; see `ProgramStatus`.
///
/// **Gradient.** By the implicit function theorem on the optimality conditions of the exact active set: exact
/// to rounding where the active rows are independent and none is weakly active. A part that samples share
/// gets the sum of their gradients. That of Q is symmetric. Weakly active rows count as active, which is a
/// one-sided derivative. Where active rows are dependent x has its derivative along changes that keep them
/// consistent, and the duals that of smallest norm. Samples that are not optimal, or whose x is not unique,
/// get NaN, unless the gradient that arrives at them is zero. The x of a linear program has zero derivative
/// in p; see `optim::Smoothing`.
///
/// **Sparse.** Q, G and A may be sparse CSR tensors `[·, n]` in double on the CPU, all of them or none, and
/// the other parts then have 1 dimension: one large program, as a batch of one, with the same results, to any
/// order of derivatives. Make the matrices by `optim::sparse_matrix`, to get gradients in their values; a
/// sparse leaf gets a sparse gradient of its pattern. Only what is in the pattern gets one. Smoothing and
/// `OnInfeasible::ClosestFeasible` are refused. Where active rows are dependent, the shortest duals are those
/// of rows in units of their length. Needs SuiteSparse when Stillpoint is built.
///
/// **Errors.** A c10::Error names the part if its shape, dtype or device does not fit the others, or if there
/// is none that says how many unknowns there are.
///
/// **Cost.** See `optim::InteriorPoint`. The backward pass reuses the last factorization: O(n² + mn) a
/// sample. Sparse, an iteration is a factorization of [Q G' A'; G −W 0; A 0 0] with the bounds among the rows
/// of G, and the backward pass a few solves by its sparse factor.
optim::ProgramSolution quadratic_program(const optim::QuadraticProgram& program,
                                         const QuadraticProgramOptions& options = {});

}  // namespace stillpoint
