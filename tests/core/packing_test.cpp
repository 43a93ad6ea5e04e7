#include "stillpoint/core/packing.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

std::vector<Tensor> state(std::int64_t batch = 3) {
  return {normal({batch, 2, 4}), normal({batch}), normal({batch, 5}), normal({batch, 1, 2, 2})};
}

TEST(Packing, GoesThereAndBack) {
  const auto tensors = state();
  const Packing packing(tensors);
  const Tensor packed = packing.pack(tensors);
  EXPECT_EQ(packed.sizes(), at::IntArrayRef({3, 18}));
  const auto back = packing.unpack(packed);
  ASSERT_EQ(back.size(), tensors.size());
  for (std::size_t i = 0; i < back.size(); ++i) EXPECT_TRUE(identical(back[i], tensors[i])) << i;
}

TEST(Packing, KeepsSamplesInRows) {
  const auto tensors = state();
  const Tensor packed = Packing(tensors).pack(tensors);
  EXPECT_TRUE(identical(packed[1].narrow(0, 0, 8), tensors[0][1].reshape(-1)));
  EXPECT_TRUE(identical(packed[1][8], tensors[1][1]));
}

TEST(Packing, TakesTensorsThatAreNotContiguous) {
  auto tensors = state();
  tensors[0] = normal({4, 2, 3}).permute({2, 1, 0});
  const Packing packing(tensors);
  EXPECT_TRUE(identical(packing.unpack(packing.pack(tensors))[0], tensors[0]));
}

TEST(Packing, CopiesSoThatTheStateStaysUntouched) {
  const std::vector<Tensor> one{normal({2, 3})};
  Packing(one).pack(one).zero_();
  EXPECT_GT(one[0].abs().min().item<double>(), 0.0);
}

TEST(Packing, IsDifferentiableBothWays) {
  const auto tensors = state();
  std::vector<Tensor> leaves;
  for (const auto& t : tensors) leaves.push_back(t.clone().requires_grad_());
  const Packing packing(leaves);
  const auto back = packing.unpack(packing.pack(leaves).pow(3));
  Tensor sum = back[0].sum();
  for (std::size_t i = 1; i < back.size(); ++i) sum = sum + (back[i] * (1.0 + i)).sum();
  const auto first = torch::autograd::grad({sum}, leaves, {}, true, true);
  const auto second = torch::autograd::grad({first[0].sum() + first[2].sum()}, {leaves[0], leaves[2]});
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_TRUE(close(first[i], 3.0 * tensors[i].square() * (i == 0 ? 1.0 : 1.0 + i), 1e-14)) << i;
  }
  EXPECT_TRUE(close(second[0], 6.0 * tensors[0], 1e-14));
  EXPECT_TRUE(close(second[1], 18.0 * tensors[2], 1e-14));
}

TEST(Packing, TurnsATupleMapIntoAMap) {
  const auto tensors = state();
  const Packing packing(tensors);
  const Map f = packing.pack([](const std::vector<Tensor>& z) {
    return std::vector<Tensor>{z[0] * 2, z[1] + z[0].sum({1, 2}), z[2].flip(1), z[3].transpose(2, 3)};
  });
  const auto out = packing.unpack(f(packing.pack(tensors)));
  EXPECT_TRUE(identical(out[0], tensors[0] * 2));
  EXPECT_TRUE(close(out[1], tensors[1] + tensors[0].sum({1, 2}), 1e-15));
  EXPECT_TRUE(identical(out[2], tensors[2].flip(1)));
  EXPECT_TRUE(identical(out[3], tensors[3].transpose(2, 3)));
}

TEST(Packing, TakesAnEmptyBatchAndEmptySamples) {
  const auto none = state(0);
  EXPECT_EQ(Packing(none).pack(none).size(0), 0);
  EXPECT_EQ(Packing(none).unpack(Packing(none).pack(none))[3].sizes(), at::IntArrayRef({0, 1, 2, 2}));
  const std::vector<Tensor> hollow{normal({2, 0}), normal({2, 3})};
  EXPECT_EQ(Packing(hollow).unpack(Packing(hollow).pack(hollow))[0].sizes(), at::IntArrayRef({2, 0}));
}

TEST(Packing, RefusesStatesThatAreNone) {
  expect_error([] { Packing({}); }, "state");
  expect_error([] { Packing({Tensor()}); }, "state[0]");
  expect_error([] { Packing({normal({})}); }, "state[0]");
  expect_error([] { Packing({normal({2, 3}), normal({3, 3})}); }, "state[1]");
  expect_error([] { Packing({normal({2, 3}), normal({2, 3}, at::kFloat)}); }, "state[1]");
  expect_error(
      [] {
        Packing({normal({2, 3}), torch::zeros({2, 3}, at::device(at::kMeta).dtype(at::kDouble))});
      },
      "state[1]");
}

TEST(Packing, RefusesStatesUnlikeTheFirst) {
  const Packing packing({normal({2, 3}), normal({2, 4})});
  const Tensor a = normal({2, 3});
  expect_error([&] { packing.pack({a}); }, "2");
  expect_error([&] { packing.pack({a, Tensor()}); }, "state[1]");
  expect_error([&] { packing.pack({a, normal({2, 5})}); }, "state[1]");
  expect_error([&] { packing.pack({a, normal({2, 4}, at::kFloat)}); }, "state[1]");
  expect_error(
      [&] {
        packing.pack({a, torch::zeros({2, 4}, at::device(at::kMeta).dtype(at::kDouble))});
      },
      "state[1]");
}

}  // namespace
}  // namespace stillpoint::test
