// Half precision and bfloat16: every solver and the backward solve, on maps that are evaluated in them.
#include <gtest/gtest.h>

#include "equations/candidates.h"
#include "linear/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

class HalfPrecision : public testing::TestWithParam<torch::Dtype> {
 protected:
  torch::Dtype dtype() const { return GetParam(); }

  // tanh(z w + x), rounded to the dtype of z; matrix products are not made for halves on every CPU.
  Tensor layer(const Tensor& z, const Tensor& w) const {
    const Tensor wide = z.scalar_type() == torch::kDouble ? z : z.to(torch::kFloat);
    const Tensor product = torch::matmul(wide, w.to(wide.scalar_type())) + x_.to(wide.scalar_type());
    return torch::tanh(product).to(z.scalar_type());
  }

  Tensor w_ = 0.35 * normal({6, 6});
  Tensor x_ = normal({4, 6});
  Tensor g_ = normal({4, 6});
};

TEST_P(HalfPrecision, FixedPointsAreFoundAndDifferentiatedByEverySolver) {
  const Tensor leaf = w_.clone().requires_grad_();
  const Tensor exact =
      fixed_point([&](const Tensor& z) { return layer(z, leaf); }, zeros({4, 6}), {.solver = Newton{}}).value;
  const Tensor expected = grad({exact}, {leaf}, {g_})[0];
  for (const SolverCandidate& candidate : solver_candidates()) {
    for (const LinearCandidate& linear : general_linear_candidates()) {
      if (!linear.of_the_library) continue;
      SCOPED_TRACE(candidate.name + ", " + linear.name);
      const Tensor narrow = w_.to(dtype()).requires_grad_();
      const auto [z, stats] =
          fixed_point([&](const Tensor& y) { return layer(y, narrow); }, zeros({4, 6}, dtype()),
                      {.solver = candidate.solver,
                       .gradient = ImplicitGradient{.linear_solver = linear.solver},
                       .max_iterations = 100,
                       .on_failure = OnFailure::Ignore});
      EXPECT_TRUE(stats.converged()) << stats.full();
      EXPECT_EQ(z.scalar_type(), dtype());
      EXPECT_LT(max_difference(z, exact), 0.05);
      const Tensor gradient = grad({z}, {narrow}, {g_.to(dtype())})[0];
      EXPECT_TRUE(stats.backward->converged()) << stats.backward->full();
      EXPECT_TRUE(close(gradient, expected, 0.08));
    }
  }
}

TEST_P(HalfPrecision, RootsAreFoundAndDifferentiatedByEverySolver) {
  const Tensor target = 1.0 + torch::rand({4, 6}, options());
  auto candidates = root_candidates();
  candidates.push_back({"BroydenFromIdentity", Broyden{.start = BroydenStart::Identity}, {}});
  for (const RootCandidate& candidate : candidates) {
    SCOPED_TRACE(candidate.name);
    const Tensor c = target.square().to(dtype()).requires_grad_();
    const auto [z, stats] =
        root([&](const Tensor& y) { return y * y - c; }, torch::full({4, 6}, 2.0, options(dtype())),
             {.solver = candidate.solver, .on_failure = OnFailure::Ignore});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_LT(max_difference(z, target), 0.05);
    const Tensor gradient = grad({z.sum()}, {c})[0];
    EXPECT_TRUE(close(gradient, 0.5 / target, 0.03));
  }
}

TEST_P(HalfPrecision, TheInverseThatASolverLeavesIsReused) {
  const Tensor leaf = w_.clone().requires_grad_();
  const Tensor exact = fixed_point([&](const Tensor& z) { return layer(z, leaf); }, zeros({4, 6})).value;
  const Tensor expected = grad({exact}, {leaf}, {g_})[0];
  for (const SolverCandidate& candidate : inverse_candidates()) {
    SCOPED_TRACE(candidate.name);
    const Tensor narrow = w_.to(dtype()).requires_grad_();
    const auto [z, stats] =
        fixed_point([&](const Tensor& y) { return layer(y, narrow); }, zeros({4, 6}, dtype()),
                    {.solver = candidate.solver,
                     .gradient = ImplicitGradient{.reuse = Reuse::Preconditioner},
                     .on_failure = OnFailure::Ignore});
    const Tensor gradient = grad({z}, {narrow}, {g_.to(dtype())})[0];
    EXPECT_TRUE(stats.backward->converged()) << stats.backward->full();
    EXPECT_TRUE(close(gradient, expected, 0.08));
  }
}

// Squares of these residuals overflow or vanish in half precision, which float holds.
TEST_P(HalfPrecision, OfAnySizeIsMixed) {
  for (const double size : {1e-3, 1e3}) {
    const Tensor target = (size * (1.0 + torch::rand({4, 40}, options()))).to(dtype());
    const auto [z, stats] = fixed_point(
        [&](const Tensor& y) { return (target - 0.5 * (y - target).flip(1)); }, torch::zeros_like(target),
        {.solver = Anderson{}, .tolerance = {.absolute = 0.0}, .on_failure = OnFailure::Ignore});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_LT(max_difference(z, target) / size, 0.05);
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, HalfPrecision, testing::Values(torch::kHalf, torch::kBFloat16),
                         [](const auto& chosen) {
                           return std::string(chosen.param == torch::kHalf ? "Half" : "BFloat16");
                         });

}  // namespace
}  // namespace stillpoint::test
