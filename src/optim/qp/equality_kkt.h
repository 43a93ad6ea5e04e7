#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "optim/qp/complement_system.h"
#include "optim/qp/dense.h"
#include "optim/qp/row_space.h"

namespace stillpoint::detail {

/// Rows of matrices, where they lie.
using Rows = std::vector<const double*>;

/// The factorized system [Q C'; C 0][x; w] = [f; g] of a program with equalities only: of an active set. Rows
/// of C may be dependent: then g is met in least squares, and w is the shortest.
class EqualityKkt {
 public:
  /// C is `rows`. `q` is symmetric and positive semidefinite; `factor` is its Cholesky factor if it is
  /// plainly definite, else null. A pivot of `singular`, as part of the largest diagonal entry, counts as
  /// zero.
  EqualityKkt(const Matrix& q, std::shared_ptr<const Matrix> factor, const Rows& rows, double singular,
              bool take_dependent = true);
  /// C is these of the whitened rows, which were divided by `length`; refused if they are dependent. Cost: a
  /// factorization of their products.
  EqualityKkt(std::shared_ptr<const Matrix> factor, const WhitenedRows& rows, const Vector& length,
              const std::vector<std::int64_t>& which);

  bool refused() const {
    return refused_;
  }  ///< rows are dependent, and were not to be taken: it solves nothing
  bool dependent() const { return rows_.dependent(); }  ///< whether rows of C are
  /// Whether x is not determined: Q is singular where C leaves x free. Solves are near the x given then.
  bool singular() const { return singular_; }

  struct Sides {
    Vector f, g;
  };
  /// Corrected by its residual in the true system, which it returns. `q` and `c` are those it was made from.
  Sides solve(const Matrix& q, const Rows& c, const Sides& right, Vector& x, Vector& w) const;
  void add_solution(const Vector& f, const Vector& g, Vector& x, Vector& w) const;  ///< not corrected

 private:
  bool factorize_rows();
  void factorize_augmented(const Matrix& q, double singular);

  RowSpace rows_;
  double weight_ = 0.0;  // ρ of H = Q + ρR'R, which has the solution of Q and is definite if there is but one
  bool singular_ = false;
  bool refused_ = false;
  std::shared_ptr<const Matrix> factor_;  // of H
  Matrix reached_;                        // U⁻ᵀR'
  Matrix complement_;                     // the factor of R H⁻¹R'
};

/// What [x; w] leaves of right − [Q C'; C 0][x; w].
EqualityKkt::Sides left_of(EqualityKkt::Sides right, const Matrix& q, const Rows& c, const Vector& x,
                           const Vector& w);
double largest(const EqualityKkt::Sides& sides);

}  // namespace stillpoint::detail
