#pragma once

#include "optim/qp/instance.h"
#include "optim/qp/normal_system.h"

namespace stillpoint::detail {

/// Takes an outcome of the program whose rows and cost were multiplied by these back to the one before. Duals
/// of a solution are in units of the cost; a certificate has none, and a ray is in its inverse.
void undo_scaling(const Vector& row, std::int64_t equalities, double cost, Outcome& outcome);

/// A program whose numbers have a size of about 1, and the way back.
class Scaled {
 public:
  explicit Scaled(const Instance& program);

  NormalSystem system() const { return {q_, c_, equalities_}; }
  const Vector& p() const { return p_; }
  const Vector& d() const { return d_; }  ///< b, and below it h
  void undo(Outcome& outcome) const { undo_scaling(row_, equalities_, cost_, outcome); }

 private:
  Matrix q_, c_;  // c: A, and below it G
  std::int64_t equalities_;
  Vector p_, d_, row_;
  double cost_;
};

}  // namespace stillpoint::detail
