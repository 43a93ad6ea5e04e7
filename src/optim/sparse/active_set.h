#pragma once

#include <cstdint>
#include <vector>

#include "optim/sparse/quasi_definite.h"
#include "optim/sparse/sparse_instance.h"

namespace stillpoint::detail {

/// The factorized system [Q C'; C 0][x; w] = [f; g] of an active set, C being A with the active rows of G
/// below it. What is factorized is slightly regularized, and its solutions are steps of the proximal point
/// method, corrected by the residual of the true system. Rows of C may be dependent: then g is met in least
/// squares, and w is the shortest, with rows in units of their length (to a power of two).
class ActiveSet {
 public:
  ActiveSet(const SparseInstance& program, std::vector<std::int64_t> active);

  const std::vector<std::int64_t>& active() const { return active_; }
  bool factorized() const { return factorized_; }
  bool dependent() const { return dependent_; }  ///< whether rows of C are
  bool singular() const { return singular_; }    ///< whether x is not determined

  /// From the x and w given, those that satisfy the system; the best of some corrections.
  void correct(const Vector& f, Vector g, Vector& x, Vector& w) const;

 private:
  void solve_regularized(Vector& f, Vector& g) const;
  void look_for_null_vectors();
  void remove_null_vectors(Vector& g) const;

  std::vector<std::int64_t> active_;
  double cost_;
  CompressedRows q_, c_;  // scaled
  Vector row_;
  QuasiDefinite factor_;
  bool factorized_ = false, dependent_ = false, singular_ = false;
};

}  // namespace stillpoint::detail
