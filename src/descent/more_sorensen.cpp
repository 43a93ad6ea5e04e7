#include "descent/more_sorensen.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <limits>
#include <tuple>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

// Parts of the gradient below this, relative to all of it, are zeros: the search divides by what it finds.
constexpr double kNothing = 1e-100;
constexpr double kOnBorder = 1e-12;  // how far from the border a step may end, relative to the radius

at::Tensor length_of(const at::Tensor& p) { return p.square().sum(1, true).sqrt(); }

// −c / (gap + shift), and 0 where c is.
at::Tensor part_by_part(const at::Tensor& c, const at::Tensor& gap, const at::Tensor& shift) {
  return at::where(c == 0, at::zeros_like(c), -c / (gap + shift));
}

}  // namespace

MoreSorensen::MoreSorensen(const at::Tensor& hessian, const at::Tensor& gradient)
    : hessian_(finite_or_zero(hessian.to(at::kDouble))), gradient_(gradient.to(at::kDouble)) {
  const auto [factor, failed] = at::linalg_cholesky_ex(hessian_);
  const at::Tensor solved = -at::cholesky_solve(gradient_.unsqueeze(2), factor).squeeze(2);
  const at::Tensor right = failed.eq(0).reshape({-1, 1});
  newton_ = at::where(right, solved, at::full_like(solved, std::numeric_limits<double>::quiet_NaN()));
}

void MoreSorensen::decompose() {
  if (values_.defined()) return;
  std::tie(values_, vectors_) = at::linalg_eigh(hessian_);
}

at::Tensor MoreSorensen::step(const at::Tensor& radius) {
  const at::Tensor wide = radius.to(at::kDouble);
  const at::Tensor inside = length_of(newton_) <= wide;  // false of NaN
  if (inside.all().item<bool>()) return newton_;
  decompose();
  return at::where(inside, newton_, constrained(wide));
}

// With c = V'g and the gaps d of the eigenvalues to the least one, λ₁, the step is −c / (d + s), where the
// multiplier is s − λ₁ ≥ 0 and s ≥ 0. It has no rounding of λ₁ in it, however near s comes to zero.
at::Tensor MoreSorensen::constrained(const at::Tensor& radius) const {
  at::Tensor c = at::matmul(vectors_.transpose(1, 2), gradient_.unsqueeze(2)).squeeze(2);
  c = at::where(c.abs() > kNothing * length_of(c), c, at::zeros_like(c));
  const at::Tensor least = values_.slice(1, 0, 1);
  const at::Tensor gap = values_ - least;
  const at::Tensor floor = least.clamp_min(0);
  // Each part alone would be as long as the radius, or longer, here; so all of them are. From this side the
  // search is monotone: the inverse of the length is concave in s, and nearly a line.
  at::Tensor shift = at::maximum((c.abs() / radius - gap).amax(1, true), floor);
  at::Tensor p = part_by_part(c, gap, shift);
  constexpr int most_steps = 100;
  for (int i = 0; i < most_steps; ++i) {
    const at::Tensor length = length_of(p);
    const at::Tensor goes_on = length > (1 + kOnBorder) * radius;
    if (!goes_on.any().item<bool>()) break;
    const at::Tensor fall = (p * part_by_part(p, gap, shift)).sum(1, true);  // ½ d‖p‖² / ds
    const at::Tensor newton = length.square() / -fall * (length / radius - 1);
    shift = at::where(goes_on, shift + newton, shift);
    p = part_by_part(c, gap, shift);
  }
  // What is left to the border is to be had for nothing more along the first eigenvector: the hard case.
  const at::Tensor rest = (radius.square() - p.square().sum(1, true)).clamp_min(0).sqrt();
  const at::Tensor hard = (least < 0).logical_and(rest > 1e-6 * radius);
  const at::Tensor first =
      at::where(hard, at::where(p.slice(1, 0, 1) < 0, -rest, rest), at::zeros_like(rest));
  p = at::cat({p.slice(1, 0, 1) + first, p.slice(1, 1)}, 1);
  return at::matmul(vectors_, p.unsqueeze(2)).squeeze(2);
}

}  // namespace stillpoint::detail
