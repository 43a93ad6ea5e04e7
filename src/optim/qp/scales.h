#pragma once

#include <memory>

#include "optim/qp/instance.h"

namespace stillpoint::detail {

/// How large the numbers of a program are, so that what counts as zero depends on none of its units.
class Scales {
 public:
  /// `factor` is the Cholesky factor of Q if it is plainly definite, else null.
  Scales(const Instance& program, const std::shared_ptr<const Matrix>& factor);

  /// The size of the terms in an equation, at a point with these x, y and z.
  struct Sizes {
    Vector a, g, slope;  // of Ax − b, of Gx − h, and of Qx + p + A'y + G'z
    double value = 0.0;  // of the objectives
  };
  Sizes sizes(const Instance& program, const Point& point) const;

 private:
  Vector x_, slope_;  // of a solution, where no term says more
  double value_;
};

/// How far a point is from optimal, relative to the sizes there.
Measure measure(const Instance& program, const Point& point, const Scales::Sizes& sizes);

}  // namespace stillpoint::detail
