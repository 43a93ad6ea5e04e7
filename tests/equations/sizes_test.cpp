// States whose squares underflow or overflow in their dtype are measured and mixed as any others are.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "core/rows/rows.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

class StateSizes : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) aten_ = std::make_unique<detail::AtenPathGuard>();
  }

 private:
  std::unique_ptr<detail::AtenPathGuard> aten_;
};

struct SizedState {
  torch::Dtype dtype;
  double size;
};

TEST_P(StateSizes, DoNotMatter) {
  const torch::NoGradGuard no_grad;
  const Tensor w = affine_matrix(8, 0.9, true).to(options()), b = normal({3, 8});
  const Tensor exact = torch::linalg_solve(torch::eye(8, options()) - w, b.t()).t();
  for (const auto& [dtype, size] : std::vector<SizedState>{{torch::kFloat, 1e-30},
                                                           {torch::kFloat, 1e-25},
                                                           {torch::kFloat, 1e25},
                                                           {torch::kFloat, 1e30},
                                                           {torch::kDouble, 1e-140},
                                                           {torch::kDouble, 1e140}}) {
    const Tensor matrix = w.t().to(dtype);
    const auto solve = [&, dtype = dtype](const FixedPointSolver& solver, double of_size) {
      const Tensor offset = (b * of_size).to(dtype);
      return fixed_point([&](const Tensor& z) { return z.matmul(matrix) + offset; },
                         torch::zeros_like(offset),
                         {.solver = solver, .tolerance = {.absolute = 0.0}, .max_iterations = 500});
    };
    for (const FixedPointSolver& solver :
         std::vector<FixedPointSolver>{Picard{}, Anderson{}, Anderson{.memory = 3, .mixing = 0.8}, Auto{}}) {
      SCOPED_TRACE(solver.name() + " in size " + std::to_string(size));
      const auto usual = solve(solver, 1.0), sized = solve(solver, size);
      EXPECT_TRUE(sized.stats.converged()) << sized.stats.full();
      EXPECT_TRUE(close(sized.value.to(torch::kDouble) / size, exact, dtype == torch::kFloat ? 1e-3 : 1e-7));
      EXPECT_NEAR(sized.stats.mean_iterations(), usual.stats.mean_iterations(),
                  1.0 + 0.1 * usual.stats.mean_iterations());
    }
  }
}

TEST_P(StateSizes, OfDoublesBeyondTheirSquaresAreMeasured) {
  const torch::NoGradGuard no_grad;
  for (const double size : {1e-200, 1e200}) {
    const auto [z, stats] =
        fixed_point([=](const Tensor& y) { return 0.5 * y + size; }, zeros({2, 6}),
                    {.solver = Picard{}, .tolerance = {.absolute = 0.0}, .max_iterations = 100});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(z / size, torch::full_like(z, 2.0), 1e-9));
    EXPECT_GT(stats.residual[0], 0.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, StateSizes, testing::Bool(), [](const auto& path) {
  return path.param ? std::string("Aten") : std::string("Fused");
});

}  // namespace
}  // namespace stillpoint::test
