#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "stillpoint/core/mask.h"
#include "stillpoint/core/solution.h"

namespace stillpoint::optim {

/// How the program of one sample ended.
enum class ProgramStatus : std::uint8_t {
  Optimal,         ///< solved, with the active set known
  Infeasible,      ///< no point satisfies the constraints; `certificate` proves it
  Unbounded,       ///< the objective falls for ever along `ray`
  Inaccurate,      ///< the method could get no further, or found no active set that fits
  IterationLimit,  ///< the iterations ran out
  NotConvex,       ///< Q has a negative eigenvalue
  NotFinite,       ///< NaN in its data, or infinity where none has a meaning
};

/// "optimal", "infeasible", "unbounded", "inaccurate", "iteration limit", "not convex" or "not finite".
const char* to_string(ProgramStatus status);

/// What solving a batch of programs did. The vectors have one entry a sample.
struct ProgramStats {
  std::string method;
  std::vector<ProgramStatus> status;
  /// The largest violation of a constraint, |Qx + p + G'z + A'y|, and the difference of the primal and the
  /// dual objective, of what is returned; each relative to the size of its terms.
  std::vector<double> primal_residual, dual_residual, gap;
  std::vector<std::int64_t> iterations;

  /// A row holds with equality and its dual is zero: the solution has a kink there. Such rows count as active
  /// in derivatives.
  Mask weakly_active;
  /// The active rows are linearly dependent. Equal bounds of an unknown count as one equation here, whose
  /// dual is upper − lower: that has a derivative, one of the two alone has not.
  Mask dual_not_unique;
  Mask primal_not_unique;  ///< other points are as good; derivatives are refused

  std::shared_ptr<Stats> backward;  ///< of the latest backward pass; see `stillpoint::Stats`

  bool optimal() const;  ///< whether all samples are
  std::int64_t count(ProgramStatus which) const;
  std::string brief() const;  ///< one line
  std::string full() const;   ///< a few lines: also the samples that were not solved, and what to try
};

/// The multipliers of the constraints that an infeasible program has: with them z ≥ 0 (those of bounds too),
/// G'z + A'y − lower + upper = 0 and h'z + b'y − l'lower + u'upper = −1, so no x satisfies them all. Zero for
/// samples that are not infeasible. Like the solution, without a graph.
struct Certificate {
  at::Tensor z, y, lower, upper;
};

/// A solution of a batch of programs and the report: `auto [x, stats] = quadratic_program(…)`. All tensors
/// are differentiable. What belongs to a part that was not given is `[B, 0]`.
struct ProgramSolution {
  at::Tensor x;             ///< `[B, n]`
  at::Tensor z;             ///< `[B, m]`, ≥ 0 (but see `OnInfeasible`): the duals of Gx ≤ h
  at::Tensor y;             ///< `[B, k]`: the duals of Ax = b
  at::Tensor lower, upper;  ///< `[B, n]`, ≥ 0: the duals of the bounds
  at::Tensor slack;         ///< `[B, m]`, ≥ 0: h − Gx
  ProgramStats stats;
  Certificate certificate;  ///< of infeasible samples
  at::Tensor ray;           ///< `[B, n]`: d with Qd = 0, Gd ≤ 0, Ad = 0, p'd = −1 for unbounded samples
};

template <std::size_t I>
const auto& get(const ProgramSolution& solution) {
  if constexpr (I == 0) {
    return solution.x;
  } else {
    return solution.stats;
  }
}

/// Throws, warns or stays silent if samples of `stats` were not solved.
void report_failure(const ProgramStats& stats, OnFailure on_failure);

}  // namespace stillpoint::optim

/// \cond
template <>
struct std::tuple_size<stillpoint::optim::ProgramSolution> : std::integral_constant<std::size_t, 2> {};
template <>
struct std::tuple_element<0, stillpoint::optim::ProgramSolution> {
  using type = const at::Tensor;
};
template <>
struct std::tuple_element<1, stillpoint::optim::ProgramSolution> {
  using type = const stillpoint::optim::ProgramStats;
};
/// \endcond
