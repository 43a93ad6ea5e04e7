// In the place of quasi_definite.cpp where SuiteSparse is missing.
#include <c10/util/Exception.h>

#include "optim/sparse/quasi_definite.h"

namespace stillpoint::detail {

void check_sparse_support() {
  TORCH_CHECK(
      false,
      "program: sparse parts need a Stillpoint that was built with SuiteSparse (AMD and LDL; on Debian "
      "libsuitesparse-dev), which was not found, or STILLPOINT_SPARSE was OFF");
}

struct QuasiDefinite::Numbers {};
QuasiDefinite::QuasiDefinite(const CompressedRows& /*q*/, const CompressedRows& /*c*/) {
  check_sparse_support();
}
QuasiDefinite::~QuasiDefinite() = default;
QuasiDefinite::QuasiDefinite(QuasiDefinite&&) noexcept = default;
QuasiDefinite& QuasiDefinite::operator=(QuasiDefinite&&) noexcept = default;
bool QuasiDefinite::factorize(double /*epsilon*/, const Vector& /*w*/) { return false; }
bool QuasiDefinite::has_right_inertia() const { return false; }
void QuasiDefinite::solve(Vector& /*x*/, Vector& /*l*/) const {}

}  // namespace stillpoint::detail
