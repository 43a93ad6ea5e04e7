#pragma once

#include <string>
#include <vector>

#include "stillpoint/core/map.h"
#include "support/device.h"

namespace stillpoint::test {

/// A square system residual(x) = 0.
struct NonlinearSystem {
  std::string name;
  Tensor start;               ///< the standard one, [1, n], double
  Map residual;               ///< of [B, n], row by row, in the dtype and on the device of its argument
  std::vector<Tensor> roots;  ///< those known, [1, n], rounded to double; there may be others
};

/// The systems of MINPACK's driver for hybrd, in its order and as its vecfcn and initpt have them. (Moré,
/// Garbow, Hillstrom, Testing Unconstrained Optimization Software, ACM TOMS 7, 1981.)
const std::vector<NonlinearSystem>& more_garbow_hillstrom();

}  // namespace stillpoint::test
