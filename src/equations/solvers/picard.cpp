#include "stillpoint/equations/solvers/picard.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <utility>

#include "core/rows/rows.h"

namespace stillpoint {
namespace {

void check(const Picard& picard) {
  TORCH_CHECK(picard.damping > 0.0 && picard.damping <= 1.0,
              "Picard.damping: expected a number in (0, 1], got ", picard.damping);
}

}  // namespace

void Picard::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  check(*this);
  detail::Recycler recycler;
  at::Tensor z = z0;
  while (true) {
    at::Tensor fz = f(z);
    at::Tensor damped;
    if (damping != 1.0) damped = detail::damp(z, fz, damping, recycler);
    if (!monitor.update(std::move(z), fz)) return;
    z = std::move(damped.defined() ? damped : fz);
  }
}

State Picard::init(const at::Tensor& z0) const {
  check(*this);
  return {z0};
}

State Picard::step(const Map& /*f*/, const State& state, const at::Tensor& fz) const {
  return {damping == 1.0 ? fz : state[0] + damping * (fz - state[0])};
}

}  // namespace stillpoint
