#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::detail {

/// How long the parts of a state [x; w; y] are. It has a w for each row, where the rows are those of G, then
/// the lower and the upper bounds.
struct ProgramLayout {
  std::int64_t unknowns = 0, general = 0, lower = 0, upper = 0, equalities = 0;

  std::int64_t rows() const { return general + lower + upper; }
  std::int64_t width() const { return unknowns + rows() + equalities; }
};

/// The duals and slacks of rows at w: z = max(w, 0) and s = z − w. With a barrier, the positive numbers with
/// z − s = w and zs = μ.
struct RowPair {
  at::Tensor dual, slack;  ///< z and s, `[B, rows]`
};

/// What the optimality conditions of a batch of programs are made of.
struct KktTerms {
  optim::QuadraticProgram parts;
  ProgramLayout layout;
  std::int64_t batch = 1;
  at::Tensor open = {};  ///< `[B, rows]`: those that constrain nothing
  at::Tensor mu = {};    ///< of a barrier, `[B, 1]` or `[1, 1]`; else undefined

  RowPair pair(const at::Tensor& w) const;
  at::TensorOptions options() const;
};

/// The optimality conditions at a state `[B, width]`,
///   Qx + p + G'z + A'y = 0,  Gx + s − h = 0,  Ax − b = 0,
/// differentiable to any order in the state and in the parts. Of dense programs without a barrier they are
/// one node of the graph, whose first-order products in double on the CPU are one pass over each sample: the
/// gradients of Q and of G are written once.
at::Tensor kkt_residual(const KktTerms& terms, const at::Tensor& state);

}  // namespace stillpoint::detail
