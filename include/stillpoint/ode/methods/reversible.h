#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/ode/stepping.h"

// Methods for any system whose steps can be taken back exactly but for rounding, so that the gradient rule
// `Reversible` needs the memory of one step. Both are of order 2 with one evaluation a step, estimate their
// error against Euler's method, and are stable for oscillations only, y' = iωy with |ωh| ≤ 1: on a decaying
// equation errors grow with time. Where that matters, take a Runge–Kutta method with
// `Discrete{.checkpoints = n}`.
namespace stillpoint::ode {

/// Reversible Heun: the trapezoidal rule with slopes along a second path that leaps from step to step.
/// (Kidger, Foster, Li, Lyons 2021, "Efficient and accurate gradients for neural SDEs", algorithm 1.)
struct ReversibleHeun {
  static constexpr int order = 2;
  static constexpr int embedded_order = 1;

  std::vector<at::Tensor> begin(const SlopeFunction& f, const at::Tensor& t, const at::Tensor& y) const;
  Stepped step(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
  Stepped back(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
};

/// Asynchronous leapfrog: the state and a slope of its own leap over each other. (Mutze 2013, "An
/// asynchronous leapfrog method II"; Zhuang et al. 2021, "MALI: a memory efficient and reverse accurate
/// integrator for neural ODEs".)
struct AsynchronousLeapfrog {
  static constexpr int order = 2;
  static constexpr int embedded_order = 1;

  std::vector<at::Tensor> begin(const SlopeFunction& f, const at::Tensor& t, const at::Tensor& y) const;
  Stepped step(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
  Stepped back(const SlopeFunction& f, const Interval& interval, const at::Tensor& y,
               const std::vector<at::Tensor>& memory) const;
};

}  // namespace stillpoint::ode
