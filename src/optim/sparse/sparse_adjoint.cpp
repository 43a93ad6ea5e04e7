#include "optim/sparse/sparse_adjoint.h"

#include <algorithm>

namespace stillpoint::detail {

void SparseAdjoint::solve(bool transposed, const double* right, double* u) const {
  const CompressedRows& g_rows = sample_->program.g;
  const std::vector<std::int64_t>& row = sample_->row;
  const std::vector<std::int64_t>& active = set_->active();
  const std::int64_t n = layout_.unknowns;
  const std::int64_t k = sample_->program.a.rows;
  const double* of_rows = right + n;
  std::copy_n(of_rows, layout_.rows, u + n);  // of inactive rows, and of those that constrain nothing
  Vector f(right, right + n);
  for (double& v : f) v = -v;
  Vector g = equality_sides(right, layout_, sample_->fixed);
  std::vector<bool> is_active(row.size(), false);
  for (const std::int64_t i : active) {
    is_active[i] = true;
    g.push_back(of_rows[row[i]]);
  }
  for (double& v : g) v = -v;
  for (std::size_t i = 0; transposed && i < row.size(); ++i) {
    if (!is_active[i]) add_row(-of_rows[row[i]], g_rows, static_cast<std::int64_t>(i), f.data());
  }
  Vector x(n, 0.0);
  Vector w(g.size(), 0.0);
  set_->correct(f, g, x, w);
  std::copy(x.begin(), x.end(), u);
  put_equality_duals(w.data(), layout_, sample_->fixed, u);
  for (std::size_t a = 0; a < active.size(); ++a) u[n + row[active[a]]] = w[k + static_cast<std::int64_t>(a)];
  for (std::size_t i = 0; !transposed && i < row.size(); ++i) {
    if (!is_active[i]) u[n + row[i]] += row_dot(g_rows, static_cast<std::int64_t>(i), x.data());
  }
}

}  // namespace stillpoint::detail
