#include "optim/qp/scaled.h"

#include <algorithm>
#include <cmath>

namespace stillpoint::detail {

Scaled::Scaled(const Instance& program)
    : q_(program.q),
      c_(stacked_rows(program)),
      equalities_(program.a.rows),
      p_(program.p),
      d_(stacked_sides(program)),
      cost_(inverse_size(std::max(largest(q_), largest(p_)))) {
  for (double& v : q_.data) v *= cost_;
  for (double& v : p_) v *= cost_;
  for (std::int64_t i = 0; i < c_.rows; ++i) {
    row_.push_back(inverse_size(std::sqrt(dot(c_[i], c_[i], c_.cols))));
    for (std::int64_t j = 0; j < c_.cols; ++j) c_[i][j] *= row_[i];
    d_[i] *= row_[i];
  }
}

void undo_scaling(const Vector& row, std::int64_t equalities, double cost, Outcome& outcome) {
  Point& point = outcome.point;
  const double unit = outcome.status == optim::ProgramStatus::Infeasible ? 1.0 : cost;
  for (std::size_t i = 0; i < point.y.size(); ++i) point.y[i] *= row[i] / unit;
  for (std::size_t i = 0; i < point.z.size(); ++i) {
    point.z[i] *= row[equalities + i] / unit;
    point.s[i] /= row[equalities + i];
  }
  if (outcome.status == optim::ProgramStatus::Unbounded) {
    for (double& v : point.x) v *= cost;
  }
}

}  // namespace stillpoint::detail
