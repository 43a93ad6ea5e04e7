#pragma once

#include <memory>
#include <variant>

#include "optim/qp/complement_system.h"
#include "optim/qp/instance.h"
#include "optim/qp/normal_system.h"
#include "optim/qp/scales.h"

namespace stillpoint::detail {

/// The factorized system [Q C'; C −W][x; l] = [f; g] of a point inside the constraints: C is A and below it
/// G, and W is zero for A and s/z for G.
class BarrierKkt {
 public:
  /// `factor` is that of Q if it is plainly definite, else null.
  BarrierKkt(const Instance& program, std::shared_ptr<const Matrix> factor);

  bool factorize(const Point& point);  ///< false if it failed, in rounding
  void solve(Vector f, const Vector& g, Vector& x, Vector& l) const;

 private:
  std::shared_ptr<const Matrix> factor_;
  std::variant<ComplementSystem, NormalSystem> system_;
};

/// Takes a point of a program to the minimum with a barrier, by Newton's method on the optimality conditions
/// in x, y and w = z − s, with zs = μ. Optimal once the primal and the dual residual are within the
/// tolerance.
void follow_barrier(const Instance& program, const std::shared_ptr<const Matrix>& factor,
                    const Scales& scales, const InstanceOptions& options, double mu, Outcome& outcome);

}  // namespace stillpoint::detail
