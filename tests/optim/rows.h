#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "support/device.h"

namespace stillpoint::test {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A batch of one row.
inline Tensor row(const std::vector<double>& numbers) { return vector(numbers).unsqueeze(0); }

/// ∂f/∂x by autograd, `[numbers of f(x), numbers of x]`.
inline Tensor jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  const Tensor leaf = x.detach().clone().requires_grad_();
  const Tensor out = f(leaf).flatten();
  std::vector<Tensor> result;
  for (std::int64_t i = 0; i < out.size(0); ++i) {
    result.push_back(torch::autograd::grad({out[i]}, {leaf}, {}, /*retain_graph=*/true)[0].flatten());
  }
  return torch::stack(result).detach();
}

}  // namespace stillpoint::test
