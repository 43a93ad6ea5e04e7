// Matrices that are kept: solved with, renewed one by one, and copied.
#include "linear/kept_factor.h"

#include <gtest/gtest.h>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

using detail::KeptFactor;

Tensor solved(const Tensor& matrix, const Tensor& b) {
  return torch::linalg_solve(matrix, b.unsqueeze(2)).squeeze(2);
}

TEST(KeptFactor, SolvesWithTheMatrixAndItsTranspose) {
  for (const torch::Dtype dtype : {at::kDouble, at::kFloat}) {
    const Tensor matrix = normal({4, 6, 6}, dtype), b = normal({4, 6}, dtype);
    const KeptFactor factor(matrix, b);
    const double tolerance = dtype == at::kDouble ? 1e-10 : 1e-3;
    for (const Tensor& right : {b, normal({4, 6}, dtype)}) {
      EXPECT_TRUE(close(factor.solve(right), solved(matrix, right), tolerance));
      EXPECT_TRUE(close(factor.solve_transposed(right), solved(matrix.transpose(1, 2), right), tolerance));
    }
  }
}

TEST(KeptFactor, RenewsTheMarkedAlone) {
  const Tensor b = normal({4, 6}), before = normal({4, 6, 6}), after = normal({4, 6, 6});
  KeptFactor factor(before, b);
  const Tensor kept = factor.solve(b);
  factor.renew({0, 1, 0, 1}, after, b);
  const Tensor now = factor.solve(b), fresh = KeptFactor(after, b).solve(b);
  for (const int i : {0, 2}) EXPECT_TRUE(identical(now[i], kept[i])) << i;
  for (const int i : {1, 3}) EXPECT_TRUE(identical(now[i], fresh[i])) << i;
  factor.renew(Mask(4), after, b);
  EXPECT_TRUE(identical(factor.solve(b), now));
}

TEST(KeptFactor, LeavesItsCopiesAsTheyAre) {
  const Tensor b = normal({4, 6});
  KeptFactor factor(normal({4, 6, 6}), b);
  const KeptFactor copy = factor;
  const Tensor before = copy.solve(b);
  factor.renew(Mask(4, 1), normal({4, 6, 6}), b);
  EXPECT_TRUE(identical(copy.solve(b), before));
  EXPECT_FALSE(identical(factor.solve(b), before));
}

TEST(KeptFactor, HasTheShortestSolutionWhereTheMatrixIsSingular) {
  Tensor matrix = normal({3, 2, 2});
  matrix[1].copy_(vector({1, 1, 1, 1}).view({2, 2}));
  const Tensor b = vector({1, 2, 3, 5, 7, 9}).view({3, 2});
  EXPECT_TRUE(close(KeptFactor(matrix, b).solve(b)[1], vector({2, 2}), 1e-12));
  KeptFactor renewed(normal({3, 2, 2}), b);
  renewed.renew({0, 1, 0}, matrix, b);
  EXPECT_TRUE(close(renewed.solve(b)[1], vector({2, 2}), 1e-12));
}

TEST(KeptFactor, TakesAnyShapeAndHalfPrecision) {
  const Tensor matrix = normal({4, 6, 6}, at::kBFloat16), b = normal({4, 2, 3}, at::kBFloat16);
  const Tensor wide = KeptFactor(matrix.to(at::kFloat), b.to(at::kFloat)).solve(b.to(at::kFloat));
  EXPECT_TRUE(identical(KeptFactor(matrix, b).solve(b), wide.to(at::kBFloat16)));
}

}  // namespace
}  // namespace stillpoint::test
