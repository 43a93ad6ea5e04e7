#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <cstdint>
#include <utility>

#include "stillpoint/core/erased.h"

namespace stillpoint {
namespace optim {

// What a squared residual s ≥ 0 costs: ρ(s), with ρ(s) ≈ s for small s. `scale` is the size of a residual, in
// its unit, from which on it counts as an outlier; > 0. (The conventions of Ceres and of scipy.optimize.
// Triggs, McLauchlan, Hartley, Fitzgibbon 2000, "Bundle adjustment: a modern synthesis", section 4.3.)

/// ρ(s) = s: least squares.
struct Squared {
  at::Tensor operator()(const at::Tensor& s) const { return s; }
};

/// s up to scale², from there on 2 scale √s − scale²: linear in the residual. Convex. (Huber 1964, Annals of
/// Mathematical Statistics 35.)
struct Huber {
  double scale = 1.0;
  at::Tensor operator()(const at::Tensor& s) const;
};

/// 2 scale² (√(1 + s / scale²) − 1): a Huber loss without its kink in the second derivative. Convex.
struct SoftL1 {
  double scale = 1.0;
  at::Tensor operator()(const at::Tensor& s) const;
};

/// scale² log(1 + s / scale²): outliers count less the farther they are. Not convex, so the start matters.
struct Cauchy {
  double scale = 1.0;
  at::Tensor operator()(const at::Tensor& s) const;
};

/// scale² / 3 (1 − (1 − s / scale²)³), and constant from scale² on: outliers do not count at all. Not convex;
/// where all residuals are outliers there is nothing to descend. (Beaton, Tukey 1974, Technometrics 16.)
struct Tukey {
  double scale = 1.0;
  at::Tensor operator()(const at::Tensor& s) const;
};

}  // namespace optim

/// A type that makes ρ(s) of a tensor of squares s, element by element, in tensors that autograd can
/// differentiate: one of the above, or your own.
template <class L>
concept RobustLossType = std::copy_constructible<L> && requires(const L& loss, const at::Tensor& s) {
  { loss(s) } -> std::same_as<at::Tensor>;
};

/// Any loss: `optim::Huber{.scale = 0.1}`, or a type of your own. ρ has to rise with s.
class RobustLoss : public Erased<at::Tensor(const at::Tensor& s)> {
 public:
  template <class L>
  requires(!std::same_as<L, RobustLoss> && RobustLossType<L>)
      RobustLoss(L loss)  // NOLINT(google-explicit-constructor): options are written as the loss's name
      : Erased(std::move(loss), [](const L& held, const at::Tensor& s) { return at::Tensor(held(s)); }) {}

  at::Tensor operator()(const at::Tensor& s) const { return call(s); }
};

}  // namespace stillpoint
