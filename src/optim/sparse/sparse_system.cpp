#include "optim/sparse/sparse_system.h"

#include "optim/qp/corrections.h"

namespace stillpoint::detail {

bool SparseSystem::factorize(const Vector& w) {
  constexpr double slight = 1e-8;
  constexpr double most = 1e-4;
  constexpr double of_rows = 10.0;
  constexpr double faster = 10.0;
  w_ = w;
  for (double added = slight; added <= most; added *= faster) {
    Vector regular = w;
    for (double& v : regular) v += of_rows * added;
    if (factor_.factorize(added, regular)) return true;
  }
  return false;
}

void SparseSystem::solve(const Vector& f, const Vector& g, Vector& x, Vector& l) const {
  constexpr int most_corrections = 12;
  const auto add = [this](Vector& of_f, Vector& of_g, Vector& to_x, Vector& to_l) {
    factor_.solve(of_f, of_g);
    axpy(1.0, of_f, to_x);
    axpy(1.0, of_g, to_l);
  };
  solve_corrected(*this, w_, most_corrections, add, f, g, x, l);
}

}  // namespace stillpoint::detail
