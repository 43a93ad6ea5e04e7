#include "stillpoint/ode/gradients/unrolled.h"

#include <utility>

namespace stillpoint::ode {

at::Tensor Unrolled::differentiate(const Frozen& frozen) const {
  at::Tensor y = frozen.y0;
  State outputs{y};
  for (std::size_t number = 0; number < frozen.steps; ++number) {
    State step = frozen.step(number, y);
    y = step[0];
    outputs.insert(outputs.end(), step.begin() + 1, step.end());
  }
  return frozen.collect(outputs);
}

}  // namespace stillpoint::ode
