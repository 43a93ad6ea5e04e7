// Each sample for itself: convergence, best iterate, failure.
#include <gtest/gtest.h>

#include <cmath>

#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"
#include "support/variants.h"

namespace stillpoint::test {
namespace {

FixedPointOptions quiet(const FixedPointSolver& solver, std::int64_t max_iterations = 200) {
  return {.solver = solver, .max_iterations = max_iterations, .on_failure = OnFailure::Ignore};
}

// A cell whose samples contract at rates of their own.
const std::vector<double> kRates{0.1, 0.9, 0.5, 0.0};

Map cell(const Tensor& x) {
  return [rates = vector(kRates).unsqueeze(1), x](const Tensor& z) { return rates * torch::sin(z) + x; };
}

TEST(Samples, ConvergeEachInItsOwnTime) {
  const Tensor x = normal({4, 3}), rates = vector(kRates).unsqueeze(1);
  const auto stats =
      fixed_point([&](const Tensor& z) { return rates * z + x; }, zeros({4, 3}), quiet(Picard{}, 500)).stats;
  EXPECT_TRUE(stats.converged());
  EXPECT_LT(stats.iterations[3], stats.iterations[0]);
  EXPECT_LT(stats.iterations[0], stats.iterations[2]);
  EXPECT_LT(stats.iterations[2], stats.iterations[1]);
}

TEST(Samples, DoNotDependOnTheirNeighbors) {
  const Tensor x = normal({4, 3}), others = normal({4, 3}) * 3;
  for (const SolverCandidate& candidate : solver_candidates()) {
    const auto together = fixed_point(cell(x), zeros({4, 3}), quiet(candidate.solver));
    Tensor changed = others.clone();
    changed[1] = x[1];
    const auto elsewhere = fixed_point(cell(changed), zeros({4, 3}), quiet(candidate.solver));
    EXPECT_TRUE(identical(elsewhere.value[1], together.value[1])) << candidate.name;
    EXPECT_EQ(elsewhere.stats.iterations[1], together.stats.iterations[1]) << candidate.name;
    EXPECT_EQ(elsewhere.stats.residual[1], together.stats.residual[1]) << candidate.name;
  }
}

struct Outcome {
  Tensor value, gradient;
  Stats stats;
};

// Solves with sample 2 spoiled by `poison` from evaluation `from` on; never if that is negative.
Outcome spoiled(const FixedPointOptions& options, const Tensor& input, double poison, int from) {
  const Tensor x = input.clone().requires_grad_();
  const Tensor third = vector({0, 0, 1, 0}).unsqueeze(1) > 0;
  int evaluation = 0;
  const Map f = [&](const Tensor& z) {
    const Tensor out = cell(x)(z);
    return from >= 0 && evaluation++ >= from ? torch::where(third, torch::full_like(out, poison), out) : out;
  };
  auto [value, stats] = fixed_point(f, zeros({4, 3}), options);
  const Tensor gradient = torch::autograd::grad({value.pow(2).sum()}, {x})[0];
  return {value.detach(), gradient, stats};
}

TEST(Samples, ThatFailLeaveTheOthersAsTheyAre) {
  const Tensor x = normal({4, 3});
  for (const SolverCandidate& candidate : solver_candidates()) {
    const Outcome good = spoiled(quiet(candidate.solver), x, NAN, -1);
    for (const double poison : {NAN, INFINITY, -INFINITY}) {
      for (const int from : {0, 2}) {
        SCOPED_TRACE(candidate.name + ", from evaluation " + std::to_string(from));
        const Outcome bad = spoiled(quiet(candidate.solver), x, poison, from);
        EXPECT_EQ(bad.stats.status[2], Status::NonFinite);
        EXPECT_TRUE(bad.value[2].isfinite().all().item<bool>()) << "its best iterate is finite";
        for (const int sample : {0, 1, 3}) {
          EXPECT_TRUE(identical(bad.value[sample], good.value[sample])) << sample;
          EXPECT_TRUE(identical(bad.gradient[sample], good.gradient[sample])) << sample;
          EXPECT_EQ(bad.stats.status[sample], Status::Converged) << sample;
          EXPECT_EQ(bad.stats.iterations[sample], good.stats.iterations[sample]) << sample;
        }
      }
    }
  }
}

// NaN in the input of one sample, on its way through every gradient rule and linear solver.
TEST(Samples, WithNanInTheirInputLeaveTheOthersGradientsAsTheyAre) {
  const Tensor input = normal({4, 3}), w = normal({3, 3}) * 0.15;
  const auto run = [&](FixedPointOptions options, bool poisoned) {
    Tensor x = input.clone();
    if (poisoned) x[2][1] = NAN;
    x.requires_grad_();
    options.on_failure = OnFailure::Ignore;
    const auto [z, stats] =
        fixed_point([&](const Tensor& y) { return torch::tanh(y.matmul(w) + x); }, zeros({4, 3}), options);
    return std::pair{z.detach(), torch::autograd::grad({z.pow(2).sum()}, {x})[0]};
  };
  auto variants = linear_solver_variants();
  for (const Variant& variant : exact_variants()) variants.push_back(variant);
  variants.push_back(loop_variant("phantom", Anderson{}, PhantomGradient{.steps = 3}));
  for (const Variant& variant : variants) {
    const auto options = variant.options(at::kDouble);
    const auto [good_value, good_gradient] = run(options, false);
    const auto [bad_value, bad_gradient] = run(options, true);
    for (const int sample : {0, 1, 3}) {
      EXPECT_TRUE(identical(bad_value[sample], good_value[sample])) << variant.name << ", sample " << sample;
      EXPECT_TRUE(identical(bad_gradient[sample], good_gradient[sample]))
          << variant.name << ", sample " << sample;
    }
  }
}

TEST(Samples, KeepTheirBestIterateWhenTheyDiverge) {
  // z ↦ z² diverges from 1.1, converges to 0 from 0.5 and stays at 1.
  const Tensor z0 = vector({1.1, 0.5, 1.0}).unsqueeze(1);
  for (const std::int64_t allowed : {3, 8, 200}) {
    const auto [value, stats] =
        fixed_point([](const Tensor& z) { return z.square(); }, z0, quiet(Picard{}, allowed));
    EXPECT_EQ(value[0].item<double>(), 1.1);
    EXPECT_NEAR(stats.residual[0], 0.11, 1e-12);
    EXPECT_EQ(stats.status[0], allowed == 200 ? Status::NonFinite : Status::MaxIterations);
    EXPECT_EQ(value[2].item<double>(), 1.0);
    EXPECT_EQ(stats.iterations[2], 0);
    if (allowed > 3) {
      EXPECT_EQ(stats.status[1], Status::Converged);
    }
  }
}

TEST(Samples, KeepTheIterateThatConvergedWhateverFollows) {
  // Sample 0 is at its solution, and f drives it away as soon as it is evaluated again elsewhere.
  const Tensor z0 = vector({2.0, 0.0}).unsqueeze(1);
  const Map f = [](const Tensor& z) { return torch::stack({3 * z[0] - 4, 0.9 * z[1] + 1}); };
  for (const SolverCandidate& candidate : solver_candidates()) {
    const auto [value, stats] = fixed_point(f, z0, quiet(candidate.solver, 2000));
    EXPECT_TRUE(stats.converged()) << candidate.name;
    EXPECT_EQ(value[0].item<double>(), 2.0) << candidate.name;
    EXPECT_EQ(stats.iterations[0], 0) << candidate.name;
  }
}

TEST(Samples, FailAlongTheWayToo) {
  for (const SolverCandidate& candidate : solver_candidates()) {
    const auto [value, stats] =
        fixed_point([](const Tensor& z) { return z + z.square() + 1; }, torch::full({2, 1}, 5.0, options()),
                    quiet(candidate.solver, 500));
    EXPECT_FALSE(stats.converged()) << candidate.name;
    EXPECT_TRUE(value.isfinite().all().item<bool>()) << candidate.name;
  }
}

}  // namespace
}  // namespace stillpoint::test
