#include "stillpoint/equations/solvers/reversible.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

namespace stillpoint {

void Reversible::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  const Map map = [&f](const at::Tensor& z) { return f(z); };
  State state = init(z0);
  while (true) {
    const at::Tensor z = state[0].to(z0.scalar_type());
    const at::Tensor fz = f(z);
    if (!monitor.update(z, fz)) return;
    state = step(map, state, fz);
  }
}

State Reversible::init(const at::Tensor& z0) const {
  TORCH_CHECK(mixing > 0.0 && mixing < 1.0, "Reversible.mixing: expected a number in (0, 1), got ", mixing);
  return {z0.to(at::kDouble), z0.to(at::kDouble)};
}

State Reversible::step(const Map& f, const State& state, const at::Tensor& fz) const {
  const auto mix = [this](const at::Tensor& x, const at::Tensor& fx) {
    return at::add(x, fx.to(at::kDouble) - x, mixing);
  };
  const at::Tensor y = mix(state[1], fz);
  return {mix(state[0], f(y.to(fz.scalar_type()))), y};
}

}  // namespace stillpoint
