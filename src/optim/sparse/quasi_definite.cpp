#include "optim/sparse/quasi_definite.h"

#include <amd.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

extern "C" {  // which the header of SuiteSparse 5 does not say itself
#include <ldl.h>
}

namespace stillpoint::detail {

static_assert(std::is_same_v<SuiteSparse_long, std::int64_t>);

void check_sparse_support() {}

struct QuasiDefinite::Numbers {
  std::int64_t unknowns = 0, size = 0;
  // The matrix by columns, and where its diagonal is.
  std::vector<std::int64_t> start = {0}, row, diagonal;
  Vector value, diagonal_of_q;
  std::vector<std::int64_t> order, place, l_start, parent, count, flag, pattern, l_row;
  Vector l_value, pivot, work;

  void add_entries(const CompressedRows& m, std::int64_t column, std::int64_t shift) {
    for (std::int64_t e = m.start[column]; e < m.start[column + 1]; ++e) {
      if (m.column[e] + shift == static_cast<std::int64_t>(start.size()) - 1) continue;
      row.push_back(m.column[e] + shift);
      value.push_back(m.value[e]);
    }
  }

  void end_column() {
    diagonal.push_back(static_cast<std::int64_t>(row.size()));
    row.push_back(static_cast<std::int64_t>(start.size()) - 1);
    value.push_back(0.0);
    start.push_back(static_cast<std::int64_t>(row.size()));
  }

  void find_order() {
    for (std::vector<std::int64_t>* v : {&order, &place, &parent, &count, &flag, &pattern}) v->resize(size);
    const auto done =
        amd_l_order(size, start.data(), row.data(), order.data(), /*control=*/nullptr, /*info=*/nullptr);
    TORCH_CHECK(done == AMD_OK || done == AMD_OK_BUT_JUMBLED,
                "program: too large for a sparse factorization");
    l_start.resize(size + 1);
    ldl_l_symbolic(size, start.data(), row.data(), l_start.data(), parent.data(), count.data(), flag.data(),
                   order.data(), place.data());
    l_row.resize(l_start.back());
    l_value.resize(l_start.back());
    pivot.resize(size);
    work.resize(size);
  }
};

QuasiDefinite::QuasiDefinite(const CompressedRows& q, const CompressedRows& c)
    : numbers_(std::make_unique<Numbers>()) {
  Numbers& k = *numbers_;
  k.unknowns = q.rows;
  k.size = q.rows + c.rows;
  k.diagonal_of_q.assign(q.rows, 0.0);
  const CompressedRows pull = transposed(c);
  for (std::int64_t j = 0; j < q.rows; ++j) {
    for (std::int64_t e = q.start[j]; e < q.start[j + 1]; ++e) {
      if (q.column[e] == j) k.diagonal_of_q[j] = q.value[e];
    }
    k.add_entries(q, j, 0);
    k.add_entries(pull, j, q.rows);
    k.end_column();
  }
  for (std::int64_t i = 0; i < c.rows; ++i) {
    k.add_entries(c, i, 0);
    k.end_column();
  }
  if (k.size > 0) k.find_order();
}

QuasiDefinite::~QuasiDefinite() = default;
QuasiDefinite::QuasiDefinite(QuasiDefinite&&) noexcept = default;
QuasiDefinite& QuasiDefinite::operator=(QuasiDefinite&&) noexcept = default;

bool QuasiDefinite::factorize(double epsilon, const Vector& w) {
  Numbers& k = *numbers_;
  for (std::int64_t j = 0; j < k.size; ++j)
    k.value[k.diagonal[j]] = j < k.unknowns ? k.diagonal_of_q[j] + epsilon : -w[j - k.unknowns];
  if (k.size == 0) return true;
  const auto done =
      ldl_l_numeric(k.size, k.start.data(), k.row.data(), k.value.data(), k.l_start.data(), k.parent.data(),
                    k.count.data(), k.l_row.data(), k.l_value.data(), k.pivot.data(), k.work.data(),
                    k.pattern.data(), k.flag.data(), k.order.data(), k.place.data());
  return done == k.size &&
         std::all_of(k.pivot.begin(), k.pivot.end(), [](double d) { return std::isfinite(d); });
}

bool QuasiDefinite::has_right_inertia() const {
  const Vector& pivot = numbers_->pivot;
  return std::count_if(pivot.begin(), pivot.end(), [](double d) { return d > 0.0; }) == numbers_->unknowns;
}

void QuasiDefinite::solve(Vector& x, Vector& l) const {
  Numbers& k = *numbers_;
  if (k.size == 0) return;
  Vector right = x;
  right.insert(right.end(), l.begin(), l.end());
  Vector by_order(k.size);
  ldl_l_perm(k.size, by_order.data(), right.data(), k.order.data());
  ldl_l_lsolve(k.size, by_order.data(), k.l_start.data(), k.l_row.data(), k.l_value.data());
  ldl_l_dsolve(k.size, by_order.data(), k.pivot.data());
  ldl_l_ltsolve(k.size, by_order.data(), k.l_start.data(), k.l_row.data(), k.l_value.data());
  ldl_l_permt(k.size, right.data(), by_order.data(), k.order.data());
  std::copy_n(right.begin(), k.unknowns, x.begin());
  std::copy(right.begin() + k.unknowns, right.end(), l.begin());
}

}  // namespace stillpoint::detail
