#include "optim/qp/whitened.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stillpoint::detail {

Whitened::Whitened(const Instance& program, const Matrix& factor)
    : factor_(factor), equalities_(program.a.rows), p_(program.p), d_(stacked_sides(program)) {
  Matrix columns = transposed(program.a, program.g);
  solve_transposed(factor, columns);
  solve_transposed(factor, p_);
  Vector row(d_.size(), 0.0);
  for (std::int64_t j = 0; j < columns.rows; ++j) {
    for (std::size_t i = 0; i < row.size(); ++i) row[i] += columns[j][i] * columns[j][i];
  }
  // How far a solution may be: as far as without constraints, or as the farthest one pushes.
  double far = largest(p_);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double length = std::sqrt(row[i]);
    const double outside = static_cast<std::int64_t>(i) < equalities_ ? std::abs(d_[i]) : -d_[i];
    if (length > 0.0) far = std::max(far, outside / length);
    row[i] = inverse_size(length);
  }
  const double smaller = inverse_size(far);
  unit_ = 1.0 / smaller;
  for (double& v : p_) v *= smaller;
  for (std::int64_t j = 0; j < columns.rows; ++j) {
    for (std::size_t i = 0; i < row.size(); ++i) columns[j][i] *= row[i];
  }
  for (std::size_t i = 0; i < row.size(); ++i) d_[i] *= row[i] * smaller;
  rows_ = whitened_rows(std::move(columns));
  row_ = std::move(row);
}

void Whitened::undo(Outcome& outcome) const {
  Point& point = outcome.point;
  const Vector& row = row_;
  const double of_duals = outcome.status == optim::ProgramStatus::Infeasible ? 1.0 / unit_ : unit_;
  for (std::size_t i = 0; i < point.y.size(); ++i) point.y[i] *= row[i] * of_duals;
  for (std::size_t i = 0; i < point.z.size(); ++i) {
    point.z[i] *= row[equalities_ + i] * of_duals;
    point.s[i] *= unit_ / row[equalities_ + i];
  }
  for (double& v : point.x) v *= unit_;
  solve(factor_, point.x);
}

}  // namespace stillpoint::detail
