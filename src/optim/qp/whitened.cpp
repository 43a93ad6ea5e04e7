#include "optim/qp/whitened.h"

#include <algorithm>
#include <cmath>

namespace stillpoint::detail {

Whitened::Whitened(const Instance& program, const Matrix& factor)
    : factor_(factor),
      columns_(transposed(stacked_rows(program))),
      equalities_(program.a.rows),
      p_(program.p),
      d_(stacked_sides(program)),
      row_(d_.size(), 0.0) {
  solve_transposed(factor, columns_);
  solve_transposed(factor, p_);
  for (std::int64_t j = 0; j < columns_.rows; ++j) {
    for (std::size_t i = 0; i < row_.size(); ++i) row_[i] += columns_[j][i] * columns_[j][i];
  }
  // How far a solution may be: as far as without constraints, or as the farthest one pushes.
  double far = largest(p_);
  for (std::size_t i = 0; i < row_.size(); ++i) {
    const double length = std::sqrt(row_[i]);
    const double outside = static_cast<std::int64_t>(i) < equalities_ ? std::abs(d_[i]) : -d_[i];
    if (length > 0.0) far = std::max(far, outside / length);
    row_[i] = inverse_size(length);
  }
  const double smaller = inverse_size(far);
  unit_ = 1.0 / smaller;
  for (double& v : p_) v *= smaller;
  for (std::int64_t j = 0; j < columns_.rows; ++j) {
    for (std::size_t i = 0; i < row_.size(); ++i) columns_[j][i] *= row_[i];
  }
  for (std::size_t i = 0; i < row_.size(); ++i) d_[i] *= row_[i] * smaller;
}

void Whitened::undo(Outcome& outcome) const {
  Point& point = outcome.point;
  const double of_duals = outcome.status == optim::ProgramStatus::Infeasible ? 1.0 / unit_ : unit_;
  for (std::size_t i = 0; i < point.y.size(); ++i) point.y[i] *= row_[i] * of_duals;
  for (std::size_t i = 0; i < point.z.size(); ++i) {
    point.z[i] *= row_[equalities_ + i] * of_duals;
    point.s[i] *= unit_ / row_[equalities_ + i];
  }
  for (double& v : point.x) v *= unit_;
  solve(factor_, point.x);
}

}  // namespace stillpoint::detail
