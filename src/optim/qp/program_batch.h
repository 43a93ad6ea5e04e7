#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "optim/qp/instance.h"
#include "optim/qp/kkt_residual.h"
#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::detail {

/// The program with `f(part, dims)` in the place of each part, dims those without a batch dimension.
template <class F>
optim::QuadraticProgram map_parts(const optim::QuadraticProgram& program, F&& f) {
  const auto part = [&](const at::Tensor& t, std::int64_t dims) { return t.defined() ? f(t, dims) : t; };
  return {part(program.Q, 2), part(program.p, 1), part(program.G, 2),     part(program.h, 1),
          part(program.A, 2), part(program.b, 1), part(program.lower, 1), part(program.upper, 1)};
}

/// A batch of programs, checked; see `kkt_residual` for the state of a sample.
class ProgramBatch {
 public:
  /// Throws if a part does not fit the others.
  explicit ProgramBatch(optim::QuadraticProgram program, const optim::Smoothing& smoothing = {});

  std::int64_t size() const { return terms_.batch; }
  std::int64_t unknowns() const { return terms_.layout.unknowns; }
  std::int64_t general_rows() const { return terms_.layout.general; }
  std::int64_t lower_rows() const { return terms_.layout.lower; }
  std::int64_t upper_rows() const { return terms_.layout.upper; }
  std::int64_t rows() const { return terms_.layout.rows(); }
  std::int64_t equalities() const { return terms_.layout.equalities; }
  std::int64_t width() const { return terms_.layout.width(); }
  at::TensorOptions options() const { return terms_.options(); }
  const at::Tensor& open() const { return terms_.open; }
  const at::Tensor& mu() const { return terms_.mu; }
  RowPair pair(const at::Tensor& w) const { return terms_.pair(w); }

  /// The optimality conditions at a state `[B, width]`, with the graph of the program's parts.
  at::Tensor residual(const at::Tensor& state) const { return kkt_residual(terms_, state); }
  /// Whether a part of it requires a gradient, and gradients are recorded.
  bool records() const;

 private:
  KktTerms terms_;
};

/// The rows of an unknown's bounds that are equal: they are one equation, whose dual is upper − lower.
struct FixedUnknown {
  std::int64_t unknown, lower_row, upper_row;  ///< rows of the batch
};

/// The unknowns with equal, finite bounds. The rows of bounds begin with `first_row`.
std::vector<FixedUnknown> fixed_unknowns(const double* lower, const double* upper, std::int64_t n,
                                         std::int64_t first_row);
bool is_fixed(const std::vector<FixedUnknown>& fixed, std::int64_t unknown);

/// The numbers of a batch on the host, from which each program is read.
class ProgramNumbers {
 public:
  explicit ProgramNumbers(const optim::QuadraticProgram& program, const ProgramBatch& batch);

  struct Sample {
    Instance program;
    std::vector<std::int64_t> row;         ///< of the batch's rows, for each of G's here
    std::vector<FixedUnknown> fixed = {};  ///< rows of A after those of the batch; none with a barrier
  };
  Sample sample(std::int64_t i) const;

 private:
  void add_bounds(std::int64_t i, const at::Tensor& bound, double sign, std::int64_t first,
                  Sample& sample) const;

  optim::QuadraticProgram parts_;  // contiguous, double, on the host
  std::int64_t n_, m_, k_, lower_rows_;
  bool folds_;  // equal bounds into one equation
};

}  // namespace stillpoint::detail
