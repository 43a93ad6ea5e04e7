#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "optim/qp/instance.h"
#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::detail {

/// A batch of programs, checked. The state of a sample is [x; w; y] with a w for each row, where the rows are
/// those of G, then the lower and the upper bounds: z = max(w, 0) and s = z − w.
class ProgramBatch {
 public:
  /// Throws if a part does not fit the others.
  explicit ProgramBatch(optim::QuadraticProgram program);

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

  /// The optimality conditions at a state `[B, width]`, with the graph of the program's parts:
  ///   Qx + p + G'z + A'y = 0,  Gx + s − h = 0,  Ax − b = 0.
  at::Tensor residual(const at::Tensor& state) const;

 private:
  optim::QuadraticProgram program_;
  std::int64_t size_ = 1, n_ = 0, m_ = 0, k_ = 0;
  at::Tensor open_;
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
