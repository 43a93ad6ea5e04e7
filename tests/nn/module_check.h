#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <memory>
#include <sstream>

#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {

/// What every module of the library promises: `forward(module)` gives the same after save and load and from a
/// clone, which shares nothing with its original; and dtypes are followed. `make` makes a module with new
/// weights.
template <class Make, class Forward>
void check_module(const Make& make, const Forward& forward) {
  auto module = make();
  auto other = make();
  const torch::NoGradGuard no_grad;
  const Tensor expected = forward(module);
  EXPECT_GT(max_difference(forward(other), expected), 1e-6);
  std::stringstream file;
  torch::save(module, file);
  torch::load(other, file, device());
  EXPECT_TRUE(identical(forward(other), expected));

  using Impl = typename decltype(module)::ContainedType;
  const decltype(module) clone(std::dynamic_pointer_cast<Impl>(module->clone()));
  EXPECT_TRUE(identical(forward(clone), expected));
  EXPECT_EQ(clone->named_parameters().keys(), module->named_parameters().keys());
  for (Tensor& p : module->parameters()) p.mul_(0.5);
  EXPECT_TRUE(identical(forward(clone), expected));
  EXPECT_GT(max_difference(forward(module), expected), 1e-6);

  other->to(torch::kFloat);
  EXPECT_EQ(forward(other).scalar_type(), torch::kFloat);
  EXPECT_TRUE(close(forward(other), expected, 1e-2));
}

}  // namespace stillpoint::test
