#include "optim/sparse/sparse_scaled.h"

#include <algorithm>
#include <cmath>

namespace stillpoint::detail {

Vector scale_rows(CompressedRows& m) {
  Vector scale;
  for (std::int64_t i = 0; i < m.rows; ++i) {
    double square = 0.0;
    for (std::int64_t e = m.start[i]; e < m.start[i + 1]; ++e) square += m.value[e] * m.value[e];
    scale.push_back(inverse_size(std::sqrt(square)));
    for (std::int64_t e = m.start[i]; e < m.start[i + 1]; ++e) m.value[e] *= scale[i];
  }
  return scale;
}

SparseScaled::SparseScaled(const SparseInstance& program)
    : q_(program.q),
      c_(program.a),
      equalities_(program.a.rows),
      p_(program.p),
      d_(program.b),
      cost_(inverse_size(std::max(largest(q_.value), largest(p_)))) {
  for (Vector* v : {&q_.value, &p_}) {
    for (double& number : *v) number *= cost_;
  }
  for (std::int64_t i = 0; i < program.g.rows; ++i) c_.add_row_like(program.g, i);
  d_.insert(d_.end(), program.h.begin(), program.h.end());
  row_ = scale_rows(c_);
  for (std::size_t i = 0; i < d_.size(); ++i) d_[i] *= row_[i];
}

}  // namespace stillpoint::detail
