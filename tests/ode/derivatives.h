#pragma once

#include <torch/torch.h>

#include <vector>

#include "support/device.h"

namespace stillpoint::test {

inline Tensor parameter(double value) {
  return torch::tensor({value}, torch::dtype(torch::kDouble).requires_grad(true));
}
inline Tensor row(const std::vector<Tensor>& numbers) { return torch::stack(numbers, 1); }

/// Derivatives of a number, by autograd.
struct Derivatives {
  std::vector<double> first;
  std::vector<std::vector<double>> second;

  Derivatives(const Tensor& of, const std::vector<Tensor>& in) {
    const auto g = torch::autograd::grad({of.sum()}, in, {}, true, true, true);
    for (const Tensor& part : g) {
      first.push_back(part.defined() ? part.item<double>() : 0.0);
      second.emplace_back();
      std::vector<Tensor> h(in.size());
      if (part.defined() && part.requires_grad())
        h = torch::autograd::grad({part}, in, {}, true, false, true);
      for (const Tensor& entry : h) second.back().push_back(entry.defined() ? entry.item<double>() : 0.0);
    }
  }
};

}  // namespace stillpoint::test
