#pragma once

#include <torch/torch.h>

#include <vector>

#include "ode/candidates.h"
#include "stillpoint/stillpoint.h"

namespace stillpoint::test {

inline OdeintOptions tight_stiff() {
  OdeintOptions options = tight_odeint();
  options.method = ode::Kvaerno5{};
  return options;
}

inline Tensor doubles(const std::vector<double>& list) { return torch::tensor(list, torch::kDouble); }
inline double entry(const Tensor& t, std::int64_t i) { return t.flatten()[i].item<double>(); }

/// x'' = μ (1 − x²) x' − x.
inline Tensor van_der_pol(const Tensor& y, const Tensor& mu) {
  const Tensor x = y.narrow(1, 0, 1);
  const Tensor v = y.narrow(1, 1, 1);
  return torch::cat({v, mu * (1 - x * x) * v - x}, 1);
}

}  // namespace stillpoint::test
