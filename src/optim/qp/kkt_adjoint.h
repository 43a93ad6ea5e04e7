#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "optim/qp/program_batch.h"
#include "stillpoint/core/linear_solver.h"

namespace stillpoint::detail {

/// −J u = right, or −Jᵀ u = right, for one sample, J being that of `ProgramBatch::residual`.
class SampleSystem {
 public:
  virtual ~SampleSystem() = default;
  virtual void solve(bool transposed, const double* right, double* u) const = 0;
};

/// A program with what became of it: all that its derivatives need.
struct SolvedProgram {
  ProgramNumbers::Sample sample;
  Outcome outcome;
  bool no_gradient = false;
  std::shared_ptr<const SampleSystem> system = {};  ///< in the place of the dense one of the outcome

  /// Leaves out what only derivatives need.
  void forget() {
    sample.program = {};
    outcome.kkt = nullptr;
    outcome.barrier = nullptr;
  }
  /// Whether x has a derivative; where not, it is NaN, or zero if `no_gradient`.
  bool differentiable() const {
    return outcome.status == optim::ProgramStatus::Optimal && !outcome.primal_not_unique;
  }
};

/// Where the parts of a state are; see `ProgramLayout`.
struct StateLayout {
  std::int64_t unknowns = 0, rows = 0, equalities = 0;
  std::int64_t width() const { return unknowns + rows + equalities; }
};

/// The sides of A's rows: those of the batch, then half the difference of each pair of equal bounds, which
/// is what of the two their equation can meet.
Vector equality_sides(const double* right, const StateLayout& layout, const std::vector<FixedUnknown>& fixed);
/// The way back for duals of these rows: a pair shares its own, as the shortest duals do.
void put_equality_duals(const double* duals, const StateLayout& layout,
                        const std::vector<FixedUnknown>& fixed, double* u);

/// Solves with −J or −Jᵀ, J the Jacobian of `ProgramBatch::residual`, by the factorized system of the active
/// set, or of the barrier: O(n² + mn) a sample. Which of the two it is, derivatives of each order in turn, is
/// told by the residual. Samples that have no derivative get NaN, or zero if their right-hand side is zero.
class KktAdjoint {
 public:
  KktAdjoint(std::shared_ptr<const std::vector<SolvedProgram>> programs, StateLayout layout)
      : programs_(std::move(programs)), layout_(layout) {}

  /// The first-order adjoint of dense programs in double on the CPU that were solved without a barrier. The
  /// residual that it reports is that of the numbers which the programs were solved with, and so costs no
  /// product with the recorded operator.
  Solution<at::Tensor> first_order(const at::Tensor& given, const ResolvedTolerance& tolerance) const;
  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& given, const at::Tensor& x0,
                             const ResolvedTolerance& tolerance) const;

 private:
  at::Tensor without_dropped(const at::Tensor& b) const;
  at::Tensor solved(const at::Tensor& b, bool transposed, double* left) const;

  std::shared_ptr<const std::vector<SolvedProgram>> programs_;
  StateLayout layout_;
};

}  // namespace stillpoint::detail
