#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "optim/qp/active_set_search.h"

namespace stillpoint::detail {

/// What is known of a program's Q.
struct QuadraticPart {
  std::shared_ptr<const Matrix> factor = {};  ///< its Cholesky factor if it is plainly definite, else null
  std::shared_ptr<const WhitenedRows> rows = {};  ///< of A, then of G, by that factor; null if not known
  Vector length = {};                             ///< by which each of these was divided
};

/// `search_active_set` of a dense program.
void polish(const Instance& program, const QuadraticPart& q, const Scales& scales,
            const InstanceOptions& options, Patience patience, Outcome& outcome);

/// The rows of A, then these of G.
Rows active_rows(const Instance& program, const std::vector<std::int64_t>& active);

}  // namespace stillpoint::detail
