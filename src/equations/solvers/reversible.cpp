#include "stillpoint/equations/solvers/reversible.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "core/rows/rows.h"
#include "equations/solvers/coupled_iteration.h"

namespace stillpoint {
namespace {

at::Tensor selected(const Mask& running, const at::Tensor& moved, const at::Tensor& stayed) {
  const bool all = running.all();
  return all ? moved : detail::select_rows(running, moved, stayed);
}

}  // namespace

at::Tensor detail::mix(const at::Tensor& x, const at::Tensor& fx, double mixing, const Mask& running) {
  return selected(running, at::add(x, fx - x, mixing), x);
}

at::Tensor detail::unmix(const at::Tensor& mixed, const at::Tensor& fx, double mixing, const Mask& running) {
  return selected(running, at::sub(mixed, fx, mixing) / (1.0 - mixing), mixed);
}

detail::CoupledPair detail::iterate(const Reversible& solver, const CheckedMap& f, const at::Tensor& z0,
                                    Monitor& monitor,
                                    const std::function<void(const Mask&, const CoupledPair&)>& taken) {
  const double mixing = solver.mixing;
  TORCH_CHECK(mixing > 0.0 && mixing < 1.0, "Reversible.mixing: expected a number in (0, 1), got ", mixing);
  const at::ScalarType dtype = z0.scalar_type();
  CoupledPair pair{z0.to(at::kDouble), z0.to(at::kDouble)};
  while (true) {
    const at::Tensor z = pair.z.to(dtype);
    const at::Tensor fz = f(z);
    if (!monitor.update(z, fz)) return pair;
    pair.y = mix(pair.y, fz.to(at::kDouble), mixing, monitor.running());
    pair.z = mix(pair.z, f(pair.y.to(dtype)).to(at::kDouble), mixing, monitor.running());
    taken(monitor.running(), pair);
  }
}

void Reversible::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  detail::iterate(*this, f, z0, monitor, [](const Mask&, const detail::CoupledPair&) {});
}

}  // namespace stillpoint
