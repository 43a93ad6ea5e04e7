#include "stillpoint/equations/diagnostics/jacobian_norm.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/rows/rows.h"
#include "stillpoint/autograd/tape.h"
#include "stillpoint/core/packing.h"
#include "stillpoint/equations/checked_map.h"

namespace stillpoint {

at::Tensor jacobian_norm(const Map& f, const at::Tensor& z, std::int64_t probes) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  detail::check_state("z", z);
  TORCH_CHECK(probes >= 1, "probes: expected ≥ 1, got ", probes);
  const bool recording = at::GradMode::is_enabled();
  const Tape tape(CheckedMap(f).checked().map, z, recording ? Tape::Input::Connected : Tape::Input::Detached);
  const bool create_graph = recording && (z.requires_grad() || !tape.captured().empty());

  // Probes are scaled, not their squares summed and divided, which could overflow in half precision.
  const std::int64_t batch = z.size(0);
  const std::int64_t width = detail::row_width(z);
  const double scale = 1.0 / std::sqrt(static_cast<double>(probes * std::max<std::int64_t>(width, 1)));
  at::Tensor sum = at::zeros({batch}, z.options());
  for (std::int64_t i = 0; i < probes; ++i) {
    const at::Tensor pulled = tape.vjp(at::randn(z.sizes(), z.options()) * scale, create_graph);
    sum = sum + pulled.reshape({batch, width}).square().sum(1);
  }
  return sum;
}

at::Tensor jacobian_norm(const TupleMap& f, const std::vector<at::Tensor>& z, std::int64_t probes) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  const Packing packing(z);
  return jacobian_norm(packing.pack(f), packing.pack(z), probes);
}

}  // namespace stillpoint
