#pragma once

#include "optim/qp/scaled.h"
#include "optim/sparse/sparse_instance.h"
#include "optim/sparse/sparse_system.h"

namespace stillpoint::detail {

/// `Scaled` for sparse programs.
class SparseScaled {
 public:
  explicit SparseScaled(const SparseInstance& program);

  SparseSystem system() const { return {q_, c_, equalities_}; }
  const Vector& p() const { return p_; }
  const Vector& d() const { return d_; }  ///< b, and below it h
  void undo(Outcome& outcome) const { undo_scaling(row_, equalities_, cost_, outcome); }

 private:
  CompressedRows q_, c_;  // c: A, and below it G
  std::int64_t equalities_;
  Vector p_, d_, row_;
  double cost_;
};

/// The power of two that takes each row to a length of about 1, by which it has been multiplied.
Vector scale_rows(CompressedRows& m);

}  // namespace stillpoint::detail
