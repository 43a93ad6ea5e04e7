#pragma once

#include <torch/torch.h>

#include <cstdlib>

namespace stillpoint::test {

using torch::Tensor;

/// Where the tests' tensors live: STILLPOINT_TEST_DEVICE, else the CPU.
inline torch::Device device() {
  const char* name = std::getenv("STILLPOINT_TEST_DEVICE");
  return torch::Device(name != nullptr && *name != '\0' ? name : "cpu");
}

inline torch::TensorOptions options(torch::Dtype dtype = torch::kDouble) {
  return torch::TensorOptions().dtype(dtype).device(device());
}

/// Standard normal numbers, the same ones on every device and up to rounding in every dtype.
inline Tensor normal(torch::IntArrayRef sizes, torch::Dtype dtype = torch::kDouble) {
  return torch::randn(sizes, torch::kDouble).to(options(dtype));
}

inline Tensor zeros(torch::IntArrayRef sizes, torch::Dtype dtype = torch::kDouble) {
  return torch::zeros(sizes, options(dtype));
}

inline Tensor vector(const std::vector<double>& numbers, torch::Dtype dtype = torch::kDouble) {
  return torch::tensor(numbers, torch::kDouble).to(options(dtype));
}

}  // namespace stillpoint::test
