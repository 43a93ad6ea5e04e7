#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "core/rows/rows.h"
#include "stillpoint/core/row_norms.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

Tensor expected(const Tensor& t, Norm norm) {
  const Tensor rows = t.to(at::kDouble).reshape({t.size(0), -1});
  if (norm == Norm::Maximum) return rows.abs().amax(1);
  const Tensor euclidean = rows.square().sum(1).sqrt();
  return norm == Norm::Euclidean ? euclidean : euclidean / std::sqrt(static_cast<double>(rows.size(1)));
}

Tensor on_device(const std::vector<double>& numbers) { return vector(numbers); }

struct Case {
  Norm norm;
  bool aten;
};

class ResidualNorms : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().aten) guard_ = std::make_unique<detail::AtenPathGuard>();
  }
  RowNorms norms(const Tensor& z, const Tensor& fz) const {
    RowNorms result;
    residual_norms(z, fz, GetParam().norm, result);
    return result;
  }

 private:
  std::unique_ptr<detail::AtenPathGuard> guard_;
};

TEST_P(ResidualNorms, AreTheNormsOfEachSample) {
  for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf}) {
    const double tolerance = dtype == at::kDouble ? 1e-14 : dtype == at::kFloat ? 1e-6 : 2e-2;
    for (const std::int64_t width : {1, 2, 3, 7, 8, 15, 16, 17, 31, 64, 100, 513}) {
      const Tensor z = normal({5, width}).to(dtype), fz = normal({5, width}).to(dtype);
      const auto [residual, scale] = norms(z, fz);
      const Tensor difference = fz.to(at::kDouble) - z.to(at::kDouble);
      EXPECT_TRUE(close(on_device(residual), expected(difference, GetParam().norm), tolerance))
          << dtype << width;
      EXPECT_TRUE(close(on_device(scale), expected(z, GetParam().norm), tolerance)) << dtype << width;
    }
  }
}

// Sizes at which squares underflow or overflow in the dtype, one a sample, with ones between that do not.
std::vector<double> all_sizes(torch::Dtype dtype) {
  if (dtype == at::kDouble) return {1e-310, 1.0, 1e-200, 1e-150, 1e160, 1e-5, 1e300};
  if (dtype == at::kHalf) return {1e-7, 1.0, 1e-4, 300.0, 1.6e4};
  if (dtype == at::kBFloat16) return {1e-39, 1.0, 1e-25, 1e-18, 1e20, 1e37};
  return {1e-44, 1.0, 1e-38, 1e-25, 1e-18, 1e20, 1e-5, 1e37};
}

// Ones times sizes, with a few digits: exact in every dtype but the smallest numbers.
Tensor of_all_sizes(std::int64_t width, torch::Dtype dtype) {
  const Tensor digits = (4.0 * torch::rand({width}, torch::kDouble)).ceil().to(options());
  return (vector(all_sizes(dtype)).unsqueeze(1) * digits).to(dtype);
}

// Relative to what is expected in each sample.
void expect_norms(const std::vector<double>& actual, const Tensor& rows, Norm norm) {
  const Tensor largest = rows.to(at::kDouble).abs().amax(1, true);
  const Tensor reference = expected(rows.to(at::kDouble) / largest, norm);
  for (std::size_t b = 0; b < actual.size(); ++b) {
    const double size = largest[b].item<double>();
    EXPECT_NEAR(actual[b] / size, reference[b].item<double>(), 1e-6 * reference[b].item<double>())
        << rows.scalar_type() << " of size " << size;
  }
}

TEST_P(ResidualNorms, HoldWhereSquaresUnderflowOrOverflow) {
  const Norm norm = GetParam().norm;
  for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const std::int64_t width : {1, 5, 16, 40, 3000}) {
      const Tensor z = of_all_sizes(width, dtype), zero = torch::zeros_like(z);
      const RowNorms from_zero = norms(zero, z), from_z = norms(z, zero);
      expect_norms(from_zero.residual, z, norm);
      expect_norms(from_z.residual, z, norm);
      expect_norms(from_z.scale, z, norm);
      EXPECT_EQ(from_zero.scale, std::vector<double>(z.size(0), 0.0));
      expect_norms(detail::row_norms(z, norm), z, norm);
      detail::Recycler recycler;
      std::vector<double> change;
      detail::add_and_compare(z, zero, zero, norm, recycler, change);
      expect_norms(change, z, norm);
    }
  }
}

TEST_P(ResidualNorms, OfInfinityAreInfinite) {
  Tensor z = of_all_sizes(20, at::kFloat);
  z.select(1, 3).fill_(-INFINITY);
  for (const double of_row : norms(z, torch::zeros_like(z)).scale) EXPECT_EQ(of_row, INFINITY);
}

TEST_P(ResidualNorms, TakeSamplesOfAnyShape) {
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{3}, {3, 1}, {2, 3, 4}, {2, 1, 5, 2}}) {
    const Tensor z = normal(shape), fz = normal(shape);
    EXPECT_TRUE(close(on_device(norms(z, fz).residual), expected(fz - z, GetParam().norm), 1e-14));
  }
}

TEST_P(ResidualNorms, KeepANumberThatIsNotFiniteToItsSample) {
  const Tensor z = normal({4, 20}), fz = normal({4, 20});
  const auto before = norms(z, fz);
  fz[1][7] = NAN;
  fz[3][19] = INFINITY;
  const auto after = norms(z, fz);
  EXPECT_TRUE(std::isnan(after.residual[1]));
  EXPECT_EQ(after.residual[3], INFINITY);
  EXPECT_EQ(after.residual[0], before.residual[0]);
  EXPECT_EQ(after.residual[2], before.residual[2]);
  EXPECT_EQ(after.scale, before.scale);
}

TEST_P(ResidualNorms, TakeNoSamplesAndEmptyOnes) {
  EXPECT_TRUE(norms(zeros({0, 3}), zeros({0, 3})).residual.empty());
  EXPECT_EQ(norms(zeros({2, 0}), zeros({2, 0})).residual, (std::vector<double>{0.0, 0.0}));
}

TEST_P(ResidualNorms, ReuseTheVectorsGiven) {
  RowNorms result{{1, 2, 3, 4, 5, 6, 7}, {}};
  residual_norms(zeros({2, 3}), torch::ones({2, 3}, options()), Norm::Maximum, result);
  EXPECT_EQ(result.residual, (std::vector<double>{1.0, 1.0}));
  EXPECT_EQ(result.scale, (std::vector<double>{0.0, 0.0}));
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const char* norm = info.param.norm == Norm::Euclidean        ? "Euclidean"
                     : info.param.norm == Norm::RootMeanSquare ? "RootMeanSquare"
                                                               : "Maximum";
  return std::string(norm) + (info.param.aten ? "Aten" : "Fused");
}

INSTANTIATE_TEST_SUITE_P(Paths, ResidualNorms,
                         testing::Values(Case{Norm::Euclidean, false}, Case{Norm::Euclidean, true},
                                         Case{Norm::RootMeanSquare, false}, Case{Norm::RootMeanSquare, true},
                                         Case{Norm::Maximum, false}, Case{Norm::Maximum, true}),
                         name_of);

}  // namespace
}  // namespace stillpoint::test
