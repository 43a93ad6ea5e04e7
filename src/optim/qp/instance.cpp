#include "optim/qp/instance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillpoint::detail {

Matrix stacked_rows(const Instance& program) {
  Matrix c(program.a.rows + program.g.rows, program.q.cols);
  std::copy(program.g.data.begin(), program.g.data.end(),
            std::copy(program.a.data.begin(), program.a.data.end(), c.data.begin()));
  return c;
}

Vector stacked_sides(const Instance& program) {
  Vector d = program.b;
  d.insert(d.end(), program.h.begin(), program.h.end());
  return d;
}

double Measure::worst() const {
  const double most = std::max({primal, dual, gap});
  return std::isfinite(primal + dual + gap) ? most : std::numeric_limits<double>::infinity();
}

Measure no_measure() {
  const double none = std::nan("");
  return {none, none, none};
}

bool is_unique(const Outcome& optimal, bool definite) {
  return !optimal.primal_not_unique && (definite || !optimal.weakly_active);
}

}  // namespace stillpoint::detail
