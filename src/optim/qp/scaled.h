#pragma once

#include "optim/qp/instance.h"
#include "optim/qp/normal_system.h"

namespace stillpoint::detail {

/// A program whose numbers have a size of about 1, and the way back.
class Scaled {
 public:
  explicit Scaled(const Instance& program);

  NormalSystem system() const { return {q_, c_, equalities_}; }
  const Vector& p() const { return p_; }
  const Vector& d() const { return d_; }  ///< b, and below it h
  void undo(Outcome& outcome) const;

 private:
  Matrix q_, c_;  // c: A, and below it G
  std::int64_t equalities_;
  Vector p_, d_, row_;
  double cost_;
};

}  // namespace stillpoint::detail
