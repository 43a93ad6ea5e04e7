// A system for each sample, some of them singular: what is regular is as LU leaves it, bit by bit, and the
// rest is the shortest least-squares solution.
#include "linear/batched_solve.h"

#include <gtest/gtest.h>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

using detail::inverse_or_pseudoinverse;
using detail::solve_or_least_squares;

const Mask kAll(4, 1);

Tensor matrix_times(const Tensor& matrix, const Tensor& x) {
  return torch::bmm(matrix, x.unsqueeze(2)).squeeze(2);
}

Tensor by_lu(const Tensor& matrix, const Tensor& b) {
  return std::get<0>(torch::linalg_solve_ex(matrix, b.unsqueeze(2))).squeeze(2);
}

// Four systems of rank 5 with equal columns lengths; to the last bit that is no exact rank, so LU finds some
// tiny pivot and divides by it.
struct RankFive {
  explicit RankFive(torch::Dtype dtype = at::kDouble) {
    const Tensor product = torch::bmm(normal({4, 6, 5}), normal({4, 5, 6}));
    matrix = (product / product.square().sum(1, true).sqrt()).to(dtype);
    b = normal({4, 6}, dtype);
  }
  Tensor matrix, b;
};

TEST(BatchedSolve, LeavesTheRegularAsTheyAre) {
  const Tensor matrix = normal({4, 6, 6}), b = normal({4, 6});
  EXPECT_TRUE(identical(solve_or_least_squares(matrix, b, kAll), by_lu(matrix, b)));
  EXPECT_TRUE(identical(inverse_or_pseudoinverse(matrix, b), std::get<0>(torch::linalg_inv_ex(matrix))));
  // Badly conditioned is not singular, in whatever units.
  Tensor hard = matrix.clone();
  hard.select(1, 2).copy_(hard.select(1, 3) + 1e-10 * hard.select(1, 2));
  for (const double unit : {1.0, 1e-150, 1e150}) {
    EXPECT_TRUE(identical(solve_or_least_squares(unit * hard, b, kAll), by_lu(unit * hard, b))) << unit;
  }
}

TEST(BatchedSolve, GivesTheShortestLeastSquaresSolutionOfASingularSample) {
  for (const torch::Dtype dtype : {at::kDouble, at::kFloat}) {
    const RankFive system(dtype);
    const double tolerance = dtype == at::kDouble ? 1e-10 : 1e-2;
    const Tensor x = solve_or_least_squares(system.matrix, system.b, kAll);
    const Tensor pseudoinverse = torch::linalg_pinv(system.matrix, dtype == at::kDouble ? 1e-13 : 1e-5);
    EXPECT_TRUE(close(x, matrix_times(pseudoinverse, system.b), tolerance));
    EXPECT_TRUE(close(inverse_or_pseudoinverse(system.matrix, system.b), pseudoinverse, tolerance));
  }
}

TEST(BatchedSolve, HandlesRowsAndColumnsOfZeros) {
  const Tensor matrix = normal({4, 6, 6}), b = normal({4, 6});
  matrix[1].select(1, 2).zero_();
  matrix[2].select(0, 5).zero_();
  matrix[3].zero_();
  const Tensor x = solve_or_least_squares(matrix, b, kAll), lu = by_lu(matrix, b);
  EXPECT_TRUE(identical(x[0], lu[0]));
  EXPECT_NEAR(x[1][2].item<double>(), 0.0, 1e-12);
  EXPECT_TRUE(close(matrix_times(matrix, x)[2].narrow(0, 0, 5), b[2].narrow(0, 0, 5), 1e-10));
  EXPECT_TRUE(identical(x[3], zeros({6})));
}

TEST(BatchedSolve, DoesNotDependOnTheUnitsOfTheUnknowns) {
  const RankFive system;
  const Tensor unit = vector({1e-9, 1.0, 1e7, 1e-3, 1e12, 1e-12});
  const Tensor x = solve_or_least_squares(system.matrix, system.b, kAll);
  for (const double size : {1.0, 1e-200, 1e200}) {
    const Tensor other = solve_or_least_squares(system.matrix * unit * size, system.b * size, kAll);
    EXPECT_TRUE(close(other * unit, x, 1e-9)) << size;
  }
}

TEST(BatchedSolve, LooksAfterTheWantedAlone) {
  const RankFive system;
  const Tensor x = solve_or_least_squares(system.matrix, system.b, {0, 1, 0, 0});
  const Tensor lu = by_lu(system.matrix, system.b);
  for (const int b : {0, 2, 3}) EXPECT_TRUE(identical(x[b], lu[b])) << b;
  EXPECT_LT(x[1].abs().max().item<double>(), 100.0);
}

TEST(BatchedSolve, KeepsWhatIsNotFiniteInItsSample) {
  const RankFive system;
  const Tensor clean = solve_or_least_squares(system.matrix, system.b, kAll);
  for (const double poison : {double{NAN}, double{INFINITY}}) {
    Tensor matrix = system.matrix.clone();
    matrix[1][2][3] = poison;
    const Tensor x = solve_or_least_squares(matrix, system.b, kAll);
    EXPECT_TRUE(identical(x[1], system.b[1]));
    EXPECT_TRUE(identical(inverse_or_pseudoinverse(matrix, system.b)[1], torch::eye(6, options())));
    for (const int b : {0, 2, 3}) EXPECT_TRUE(identical(x[b], clean[b])) << b;
  }
}

TEST(BatchedSolve, TakesAnyShapeAndHalfPrecision) {
  const RankFive system(at::kFloat);
  const Tensor matrix = system.matrix.to(at::kBFloat16), b = system.b.to(at::kBFloat16);
  const Tensor x = solve_or_least_squares(matrix, b.view({4, 2, 3}), kAll);
  EXPECT_EQ(x.sizes(), torch::IntArrayRef({4, 2, 3}));
  EXPECT_EQ(x.scalar_type(), at::kBFloat16);
  const Tensor wide = solve_or_least_squares(matrix.to(at::kFloat), b.to(at::kFloat), kAll);
  EXPECT_TRUE(identical(x.view({4, 6}), wide.to(at::kBFloat16)));
}

}  // namespace
}  // namespace stillpoint::test
