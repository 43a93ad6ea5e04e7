#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "optim/qp/dense.h"
#include "optim/qp/equality_kkt.h"
#include "stillpoint/optim/program_solution.h"

namespace stillpoint::detail {

class BarrierKkt;

/// One program in double: min ½x'Qx + p'x subject to Ax = b, Gx ≤ h. Bounds are rows of G, and rows that
/// constrain nothing are left out.
struct Instance {
  Matrix q, a, g;
  Vector p, b, h;
};

Matrix stacked_rows(const Instance& program);   ///< A, and below it G
Vector stacked_sides(const Instance& program);  ///< b, and below it h

/// A point of a program: x, the duals of A and of G, and the slack of G.
struct Point {
  Vector x, y, z, s;
};

/// How far a point is from optimal; each relative to the terms in it.
struct Measure {
  double primal = 0.0, dual = 0.0, gap = 0.0;

  double worst() const;  ///< infinite if one of them is not finite
};
Measure no_measure();  ///< NaN: there is no point

/// What a solve of one program is asked for.
struct InstanceOptions {
  double tolerance = 0.0;  ///< of `Measure`
  // As parts of the largest entry of Q:
  double negative = 0.0;  ///< how far below zero an eigenvalue may be, by rounding of the data
  double singular = 0.0;  ///< a pivot that counts as zero
  double definite = 0.0;  ///< the smallest pivot of a plainly definite one
  std::int64_t max_iterations = 0;
};

/// What became of one program. An infeasible one has its certificate in `point.y` and `point.z`, an unbounded
/// one its ray in `point.x`.
struct Outcome {
  optim::ProgramStatus status = optim::ProgramStatus::Inaccurate;
  Point point;
  Measure error;
  std::int64_t iterations = 0;
  bool weakly_active = false, dual_not_unique = false, primal_not_unique = false;
  /// Rows of G: those with larger dual than slack in the units of the method; once optimal, those without
  /// slack.
  std::vector<std::int64_t> active = {};
  std::shared_ptr<const EqualityKkt> kkt = {};     ///< of A and these rows, if optimal
  std::shared_ptr<const BarrierKkt> barrier = {};  ///< in its place, with a barrier
};

/// The outcome of a program that was not solved, with a point of zeros.
template <class Program>
Outcome no_point(const Program& program, optim::ProgramStatus status) {
  Outcome outcome;
  outcome.status = status;
  outcome.point = {Vector(program.q.rows, 0.0), Vector(program.a.rows, 0.0), Vector(program.g.rows, 0.0),
                   Vector(program.g.rows, 0.0)};
  outcome.error = no_measure();
  return outcome;
}

/// Whether no other point is as good as an optimal one, as far as its active set shows. With a singular Q a
/// weakly active row may be all that keeps x where it is.
bool is_unique(const Outcome& optimal, bool definite);

}  // namespace stillpoint::detail
