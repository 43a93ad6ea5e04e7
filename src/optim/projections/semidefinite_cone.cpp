#include "stillpoint/optim/projections/semidefinite_cone.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <tuple>

#include "core/confirm.h"
#include "core/dtype.h"
#include "optim/projections/arguments.h"
#include "stillpoint/autograd/implicit.h"

namespace stillpoint {
namespace {

/// S X + X S = −b, for diagonal S given by its entries, `[B, n]`, which are positive.
struct DiagonalLyapunov {
  at::Tensor entries;

  Solution<at::Tensor> solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& /*x0*/,
                             const ResolvedTolerance& tolerance) const {
    Solution<at::Tensor> solution{-b / (entries.unsqueeze(1) + entries.unsqueeze(2)), {}};
    Stats& stats = solution.stats;
    stats.method = "DiagonalLyapunov";
    stats.status.assign(b.size(0), Status::Converged);
    stats.iterations.assign(b.size(0), 1);
    detail::confirm(a, b, tolerance, solution);
    return solution;
  }
};

// Eigenvalues, those of zero made slightly negative, and eigenvectors.
std::tuple<at::Tensor, at::Tensor> eigen(const at::Tensor& y) {
  const at::NoGradGuard no_grad;
  auto [values, vectors] = at::linalg_eigh(y);
  const double rounding = static_cast<double>(y.size(1)) * detail::machine_epsilon(y.scalar_type());
  const at::Tensor largest = values.abs().amax(1, /*keepdim=*/true);
  // Of the zero matrix, the unit is arbitrary.
  const at::Tensor zero = rounding * largest.masked_fill(largest == 0.0, 1.0);
  return {at::where(values.abs() <= zero, -zero, values), vectors};
}

}  // namespace

at::Tensor optim::project_semidefinite_cone(const at::Tensor& y) {
  detail::check_rows("y", y, 3);
  TORCH_CHECK(y.size(1) == y.size(2), "y: expected [B, n, n], got shape ", y.sizes());
  // LAPACK gives up a whole batch for one matrix that is not finite.
  const at::Tensor finite = at::isfinite(y).flatten(1).all(1).view({-1, 1, 1});
  const at::Tensor safe = y.masked_fill(finite.logical_not(), 0.0);
  const at::Tensor symmetric = 0.5 * (safe + safe.transpose(1, 2));
  const auto [values, vectors] = eigen(symmetric.detach().contiguous());
  const at::Tensor back = vectors.transpose(1, 2).contiguous();
  const auto basis = vectors.contiguous();
  // y in its eigenbasis: exactly diagonal, so that no rounding of large eigenvalues reaches small ones.
  const at::Tensor change = at::bmm(at::bmm(back, symmetric - symmetric.detach()), basis);
  const at::Tensor diagonal = at::diag_embed(values) + change;
  Condition condition(
      [diagonal](const at::Tensor& s) { return at::bmm(s, s) - at::bmm(diagonal, diagonal); });
  const at::Tensor modulus = implicit(condition.stated(Form::Root, "S S = Y Y"), at::diag_embed(values.abs()),
                                      {.solver = DiagonalLyapunov{values.abs()}});
  const at::Tensor positive = 0.5 * (diagonal + modulus);
  return detail::where_exists(finite, at::bmm(at::bmm(basis, positive), back));
}

}  // namespace stillpoint
