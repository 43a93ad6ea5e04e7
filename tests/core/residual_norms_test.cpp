#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "core/rows.h"
#include "stillpoint/core/monitor.h"
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
