#include "stillpoint/optim/minimizers/lbfgs.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include "optim/minimizers/descent.h"
#include "optim/minimizers/secant_pairs.h"

namespace stillpoint::optim {

void Lbfgs::minimize(detail::Descent& descent) const {
  TORCH_CHECK(memory >= 1, "Lbfgs.memory: expected ≥ 1, got ", memory);
  detail::SecantPairs pairs(memory);
  while (descent.goes_on()) {
    if (descent.renewed().any()) pairs.renew(descent.renewed(), descent.cauchy_length());
    const detail::DescentPoint before = descent.point();
    descent.advance(-pairs.times(descent.free_gradient()) * descent.freedom());
    pairs.learn(descent.point().x - before.x, descent.point().gradient - before.gradient);
  }
}

}  // namespace stillpoint::optim
