#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/optim/program_solution.h"
#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::optim {

/// {x : Gx ≤ h, Ax = b, lower ≤ x ≤ upper}.
///
/// Every part may be left out, G and h, and A and b, in pairs; without any it is the whole space. Each has
/// the shape given below, which all samples share, or that with a batch dimension before it. Infinite bounds
/// and +∞ in h are no constraints.
struct Polyhedron {
  at::Tensor G = {};      ///< `[m, n]`
  at::Tensor h = {};      ///< `[m]`
  at::Tensor A = {};      ///< `[k, n]`; rows may depend on each other
  at::Tensor b = {};      ///< `[k]`
  at::Tensor lower = {};  ///< `[n]`
  at::Tensor upper = {};  ///< `[n]`
};

/// The nearest point to each row of `y`, `[B, n]`, of a polyhedron, as the solution of ½‖x − y‖² subject to
/// its constraints: `auto [x, stats] = project_polyhedron(y, {.G = G, .h = h})`. The duals come with it.
///
/// Differentiable to any order in y and in all parts, exact to rounding. A row of G with equality and a dual
/// of zero counts as active, which is a one-sided derivative; `stats.weakly_active` marks it.
///
/// **Status** is per sample: `Optimal`; `Infeasible` where the polyhedron is empty, with a `certificate`, and
/// `NotFinite` with NaN, where the point and its gradients are NaN; `Inaccurate`, with a point that is near
/// and gradients of NaN, where the active rows did not show, as happens, seldom, to points a hundred times
/// farther away than the set is wide. See `ProgramStatus`.
///
/// Errors: a c10::Error if y is not `[B, n]` in float or double with n ≥ 1, or a part does not fit. Cost:
/// that of `quadratic_program`, for each row; prefer the projection onto a special set where there is one.
ProgramSolution project_polyhedron(const at::Tensor& y, const Polyhedron& set,
                                   const QuadraticProgramOptions& options = {});

}  // namespace stillpoint::optim
