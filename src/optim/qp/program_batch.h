#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "optim/qp/instance.h"
#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::detail {

/// The program with `f(part, dims)` in the place of each part, dims those without a batch dimension.
template <class F>
optim::QuadraticProgram map_parts(const optim::QuadraticProgram& program, F&& f) {
  const auto part = [&](const at::Tensor& t, std::int64_t dims) { return t.defined() ? f(t, dims) : t; };
  return {part(program.Q, 2), part(program.p, 1), part(program.G, 2),     part(program.h, 1),
          part(program.A, 2), part(program.b, 1), part(program.lower, 1), part(program.upper, 1)};
}

/// A batch of programs, checked. The state of a sample is [x; w; y] with a w for each row, where the rows are
/// those of G, then the lower and the upper bounds: z = max(w, 0) and s = z − w. With a barrier, z and s are
/// the positive numbers with z − s = w and zs = μ.
class ProgramBatch {
 public:
  /// Throws if a part does not fit the others.
  explicit ProgramBatch(optim::QuadraticProgram program, const optim::Smoothing& smoothing = {});

  std::int64_t size() const { return size_; }
  std::int64_t unknowns() const { return n_; }
  std::int64_t general_rows() const { return m_; }
  std::int64_t lower_rows() const { return program_.lower.defined() ? n_ : 0; }
  std::int64_t upper_rows() const { return program_.upper.defined() ? n_ : 0; }
  std::int64_t rows() const { return m_ + lower_rows() + upper_rows(); }
  std::int64_t equalities() const { return k_; }
  std::int64_t width() const { return n_ + rows() + k_; }
  at::TensorOptions options() const;
  const at::Tensor& open() const { return open_; }  ///< `[B, rows]`: those that constrain nothing
  const at::Tensor& mu() const { return mu_; }      ///< of a barrier, `[B, 1]` or `[1, 1]`; else undefined

  struct RowPair {
    at::Tensor dual, slack;  ///< z and s, `[B, rows]`
  };
  RowPair pair(const at::Tensor& w) const;

  /// The optimality conditions at a state `[B, width]`, with the graph of the program's parts:
  ///   Qx + p + G'z + A'y = 0,  Gx + s − h = 0,  Ax − b = 0.
  at::Tensor residual(const at::Tensor& state) const;

 private:
  optim::QuadraticProgram program_;
  std::int64_t size_ = 1, n_ = 0, m_ = 0, k_ = 0;
  at::Tensor open_, mu_;
};

/// The numbers of a batch on the host, from which each program is read.
class ProgramNumbers {
 public:
  explicit ProgramNumbers(const optim::QuadraticProgram& program, const ProgramBatch& batch);

  struct Sample {
    Instance program;
    std::vector<std::int64_t> row;  ///< of the batch's rows, for each of G's here
  };
  Sample sample(std::int64_t i) const;

 private:
  void add_bounds(std::int64_t i, const at::Tensor& bound, double sign, std::int64_t first,
                  Sample& sample) const;

  optim::QuadraticProgram parts_;  // contiguous, double, on the host
  std::int64_t n_, m_, k_, lower_rows_;
};

}  // namespace stillpoint::detail
