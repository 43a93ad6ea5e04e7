#include "root/slopes.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/rows.h"

namespace stillpoint {

std::vector<double> detail::slopes(const CheckedMap& g, const at::Tensor& z, Norm norm) {
  const Tape tape = g.record(z);
  std::vector<double> size = row_norms(tape.value(), norm);
  for (double& number : size) number = number > 0.0 ? number : 1.0;
  const at::Tensor direction = tape.value() / to_column(size, tape.value());
  const at::Tensor product = tape.vjp(direction);
  g.count_jacobian_products(1);
  if (norm != Norm::Maximum) return row_norms(product, norm);
  const std::int64_t batch = z.size(0);
  const at::Tensor squares = widened(direction).square().reshape({batch, -1}).sum(1);
  const at::Tensor sums = widened(product).abs().reshape({batch, -1}).sum(1);
  return to_host(at::where(squares > 0, sums / squares, squares));
}

}  // namespace stillpoint
