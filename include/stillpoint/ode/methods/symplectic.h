#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/ode/stepping.h"

// Methods for separable systems, dq/dt = v(t, p) and dp/dt = a(t, q), as mechanics has them. They conserve
// phase-space volume, so that the energy of a conservative system stays within a bound over any number of
// equal steps. The first half of the numbers of a sample are the positions q, the second half the momenta p:
// a list {q, p} of two tensors of one shape, or one tensor of both. That v does not depend on q, nor a on p,
// is not checked; where it does, the order is 1. They need `ConstantStep`, which is also what keeps the
// energy. They can be taken back, for `Reversible`.
namespace stillpoint::ode {

/// Order 1: the momenta first, then the positions with the new ones. Two evaluations a step. (Symplectic
/// Euler; de Vogelaere 1956.)
struct SemiImplicitEuler {
  static constexpr int order = 1;

  std::vector<at::Tensor> begin(const SlopeFunction& f, const at::Tensor& t, const at::Tensor& y) const;
  Stepped step(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
  Stepped back(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
};

/// Order 2, symmetric: half of the kick, the drift, half of the kick (Störmer–Verlet). Two evaluations a
/// step, since the second kick is the first one of the next step. (Verlet 1967; Hairer, Lubich, Wanner 2003,
/// "Geometric numerical integration illustrated by the Störmer–Verlet method".)
struct Leapfrog {
  static constexpr int order = 2;

  std::vector<at::Tensor> begin(const SlopeFunction& f, const at::Tensor& t, const at::Tensor& y) const;
  Stepped step(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
  Stepped back(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
};

}  // namespace stillpoint::ode
