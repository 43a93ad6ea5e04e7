// What every gradient rule owes, and how far the approximate ones are off.
#include <gtest/gtest.h>

#include "equations/candidates.h"
#include "equations/own_types.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/layer_check.h"
#include "support/problems.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;
using Inputs = std::vector<Tensor>;

class Gradient : public testing::TestWithParam<GradientCandidate> {
 protected:
  FixedPointOptions options() const {
    return {.solver = GetParam().solver, .gradient = GetParam().gradient, .on_failure = OnFailure::Throw};
  }
  const Tensor w_ = (normal({3, 3}) * 0.15).requires_grad_();
  const Tensor x_ = normal({2, 3}).requires_grad_();
  const Map cell_ = [this](const Tensor& z) { return torch::tanh(z.matmul(w_) + x_); };
};

TEST_P(Gradient, LeavesTheValueToTheSolver) {
  const auto with = fixed_point(cell_, zeros({2, 3}), options());
  EXPECT_TRUE(with.value.requires_grad());
  const torch::NoGradGuard off;
  const auto without = fixed_point(cell_, zeros({2, 3}), options());
  EXPECT_FALSE(without.value.requires_grad());
  EXPECT_TRUE(close(with.value, without.value, 1e-9));
  EXPECT_EQ(with.stats.iterations, without.stats.iterations);
  EXPECT_EQ(with.stats.status, without.stats.status);
  EXPECT_EQ(with.stats.residual, without.stats.residual);
}

TEST_P(Gradient, NeedsNothingListedAndGivesNothingWhereThereIsNothing) {
  const Tensor z = fixed_point(cell_, zeros({2, 3}), options()).value;
  const auto gradients = grad({z.sum()}, {w_, x_});
  for (const Tensor& g : gradients) EXPECT_GT(g.abs().min().item<double>(), 0.0);
  const Tensor w = w_.detach(), x = x_.detach();
  EXPECT_FALSE(
      fixed_point([&](const Tensor& y) { return torch::tanh(y.matmul(w) + x); }, zeros({2, 3}), options())
          .value.requires_grad());
}

TEST_P(Gradient, BackwardTwiceNeedsTheGraphRetained) {
  const Tensor z = fixed_point(cell_, zeros({2, 3}), options()).value;
  const Tensor first = grad({z.square().sum()}, {w_}, {}, /*retain_graph=*/true)[0];
  EXPECT_TRUE(identical(grad({z.square().sum()}, {w_})[0], first));
  EXPECT_THROW(grad({z.square().sum()}, {w_}), c10::Error);
}

TEST_P(Gradient, AccumulatesInLeavesAsAnyLayer) {
  Tensor w = w_.detach().clone().requires_grad_();
  const Map cell = [&](const Tensor& z) { return torch::tanh(z.matmul(w) + x_); };
  const auto pass = [&] { fixed_point(cell, zeros({2, 3}), options()).value.square().sum().backward(); };
  pass();
  const Tensor once = w.grad().clone();
  pass();
  EXPECT_TRUE(close(w.grad(), 2 * once, 1e-14));
}

// A user may do with the output what autograd allows; the derivative is right, or there is an error.
TEST_P(Gradient, AnOutputEditedInPlaceIsNoticed) {
  const Tensor expected =
      grad({fixed_point(cell_, zeros({2, 3}), options()).value.mul(2).square().sum()}, {w_})[0];
  Tensor z = fixed_point(cell_, zeros({2, 3}), options()).value;
  try {
    z.mul_(2);
    EXPECT_TRUE(close(grad({z.square().sum()}, {w_})[0], expected, 1e-12));
  } catch (const c10::Error& error) {
    EXPECT_NE(std::string(error.what()).find("inplace"), std::string::npos) << error.what();
  }
}

// What f captured is edited between the passes, or f captures something else: right, or an error that says
// so.
TEST_P(Gradient, OfAMapThatChangesIsRightOrRefused) {
  for (const bool create_graph : {false, true}) {
    for (const bool edited : {true, false}) {
      const Tensor shift = torch::tensor({{0.3, 0.7, -0.2}}, at::kDouble).requires_grad_();
      const Tensor other = torch::tensor({{1.3, -0.7, 0.1}}, at::kDouble).requires_grad_();
      Tensor used = shift;
      const Map f = [&](const Tensor& z) { return torch::tanh(0.5 * z + used); };
      const auto gradient = [&](const Tensor& z) {
        return grad({z.sum()}, {shift}, {}, true, create_graph)[0];
      };
      const Tensor expected = gradient(fixed_point(f, zeros({2, 3}), options()).value).detach();
      const Tensor z = fixed_point(f, zeros({2, 3}), options()).value;
      if (edited) {
        const torch::NoGradGuard off;
        shift.add_(0.5);
      } else {
        used = other;
      }
      try {
        EXPECT_TRUE(close(gradient(z), expected, 1e-12)) << create_graph << edited;
      } catch (const c10::Error& error) {
        EXPECT_NE(std::string(error.what()).find("f: expected"), std::string::npos) << error.what();
      }
    }
  }
}

// Neither is written to through the other, be z0 the solution itself.
TEST_P(Gradient, TheResultDoesNotShareMemoryWithTheStart) {
  const Tensor start = zeros({2, 3});
  const Map still = [](const Tensor& z) { return torch::tanh(0.5 * z); };
  EXPECT_FALSE(fixed_point(still, start, options()).value.is_alias_of(start));
}

TEST(ImplicitGradient, TheResultDoesNotShareMemoryWithWhatTheMapKeeps) {
  const Tensor kept = normal({2, 3});
  for (const SolverCandidate& candidate : solver_candidates()) {
    const Map constant = [&](const Tensor&) { return kept; };
    const Tensor value = fixed_point(constant, zeros({2, 3}), {.solver = candidate.solver}).value;
    EXPECT_FALSE(value.is_alias_of(kept)) << candidate.name;
  }
}

TEST_P(Gradient, TakesAnEmptyBatch) {
  const Tensor x = zeros({0, 3}).requires_grad_();
  const auto [z, stats] =
      fixed_point([&](const Tensor& y) { return torch::tanh(y.matmul(w_) + x); }, zeros({0, 3}), options());
  EXPECT_EQ(z.sizes(), at::IntArrayRef({0, 3}));
  EXPECT_TRUE(stats.converged());
  if (!z.requires_grad()) return;  // no step was taken, so the loop has nothing to differentiate
  const auto gradients = grad({z.sum()}, {w_, x}, {}, true, false, true);
  if (gradients[0].defined()) {
    EXPECT_TRUE(identical(gradients[0], zeros({3, 3})));
  }
}

TEST_P(Gradient, GoesThroughLongChains) {
  Tensor z = x_;
  for (int i = 0; i < 30; ++i) {
    const Tensor input = z;
    z = fixed_point([this, input](const Tensor& y) { return torch::tanh(y.matmul(w_) + input); },
                    torch::zeros_like(x_), options())
            .value;
    z.retain_grad();
  }
  EXPECT_TRUE(grad({z.sum()}, {x_})[0].isfinite().all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Rules, Gradient, testing::ValuesIn(gradient_candidates()),
                         [](const auto& test) { return test.param.name; });

TEST(ExactRules, HaveTheDerivativesOfTheLoop) {
  std::vector<Variant> variants;
  for (const GradientCandidate& rule : gradient_candidates()) {
    if (rule.exact == GradientCandidate::Exact::OfTheSteps) {
      variants.push_back(loop_variant(rule.name, rule.solver, rule.gradient));
    }
  }
  variants.push_back(implicit_variant("the user's solver", HalfSteps{}));
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        return solve([=](const Tensor& z) { return torch::tanh(z.matmul(in[0]) + in[1].exp()) * z.cos(); },
                     torch::zeros_like(in[1]));
      },
      {shared(normal({3, 3}) * 0.1), per_sample(normal({2, 3}))}, {.variants = variants, .orders = 3});
}

// The loop by hand, each sample until it has converged; z0 and W as inputs.
Tensor stopped_loop(const Map& f, const Tensor& z0, double damping, double absolute, int max_iterations) {
  Tensor z = z0;
  for (int i = 0; i < max_iterations; ++i) {
    const Tensor fz = f(z);
    const Tensor running = (fz - z).norm(2, 1, true) > absolute;
    z = torch::where(running, z + damping * (fz - z), z);
  }
  return z;
}

struct StoppedCase {
  GradientRule gradient;
  double damping;
  double absolute;
  int max_iterations;
};

void check_stopped(const StoppedCase& c) {
  const Inputs at{(normal({3, 3}) * 0.3).requires_grad_(),
                  (normal({4, 3}) * vector({1, 0.01, 5, 0}).unsqueeze(1)).requires_grad_()};
  const auto by_hand = derivatives(
      [&](const Inputs& in) {
        return stopped_loop([&](const Tensor& z) { return torch::tanh(z.matmul(in[0])); }, in[1], c.damping,
                            c.absolute, c.max_iterations);
      },
      at, 3);
  const auto actual = derivatives(
      [&](const Inputs& in) {
        return fixed_point([w = in[0]](const Tensor& z) { return torch::tanh(z.matmul(w)); }, in[1],
                           {.solver = Picard{.damping = c.damping},
                            .gradient = c.gradient,
                            .tolerance = {.relative = 0.0, .absolute = c.absolute},
                            .max_iterations = c.max_iterations,
                            .on_failure = OnFailure::Ignore})
            .value;
      },
      at, 3);
  for (std::size_t order = 0; order < by_hand.size(); ++order) {
    for (std::size_t i = 0; i < by_hand[order].size(); ++i) {
      EXPECT_TRUE(close(actual[order][i], by_hand[order][i], 1e-12)) << "order " << order << ", input " << i;
    }
  }
}

TEST(UnrolledGradient, IsThatOfWhatWasComputedInTheStartToo) {
  for (const double damping : {1.0, 0.6}) {
    for (const int max_iterations : {0, 1, 4, 30}) {
      check_stopped({UnrolledGradient{}, damping, 1e-2, max_iterations});
    }
  }
}

TEST(CheckpointedGradient, IsThatOfWhatWasComputedInTheStartToo) {
  for (const double damping : {1.0, 0.6}) {
    for (const std::int64_t every : {1, 3, 100}) {
      for (const int max_iterations : {0, 1, 4, 30}) {
        check_stopped({CheckpointedGradient{.every = every}, damping, 1e-2, max_iterations});
      }
    }
  }
}

TEST(UnrolledGradient, ReturnsTheLastIterateOfASampleThatDidNotConverge) {
  const Map grow = [](const Tensor& z) { return 2 * z; };
  for (const GradientRule& rule :
       {GradientRule(UnrolledGradient{}), GradientRule(CheckpointedGradient{.every = 2})}) {
    const auto [value, stats] = fixed_point(
        grow, torch::ones({1, 1}, options()).requires_grad_(),
        {.solver = Picard{}, .gradient = rule, .max_iterations = 5, .on_failure = OnFailure::Ignore});
    EXPECT_EQ(value.item<double>(), 32.0);
    EXPECT_EQ(stats.residual[0], 32.0);
    EXPECT_EQ(stats.iterations[0], 5);
  }
}

TEST(CheckpointedGradient, EvaluatesEachStepOnceMore) {
  const Tensor x = normal({2, 3}).requires_grad_();
  int calls = 0;
  const Map f = [&](const Tensor& z) {
    ++calls;
    return torch::tanh(0.5 * z + x);
  };
  const auto [value, stats] =
      fixed_point(f, zeros({2, 3}), {.solver = Picard{}, .gradient = CheckpointedGradient{.every = 5}});
  const std::int64_t steps = *std::max_element(stats.iterations.begin(), stats.iterations.end());
  EXPECT_EQ(calls, stats.evaluations);
  EXPECT_EQ(calls, steps + 2);  // one at the start, and one at the end for samples that ended apart
  grad({value.sum()}, {x});
  EXPECT_LE(calls, 2 * steps + 3);
}

TEST(ExactRules, OfTheLoopGoWithSolversThatOfferTheirStep) {
  for (const GradientRule& rule : {GradientRule(UnrolledGradient{}), GradientRule(CheckpointedGradient{})}) {
    for (const SolverCandidate& candidate : solver_candidates()) {
      if (candidate.solver.step_functions().step != nullptr) continue;
      SCOPED_TRACE(candidate.name);
      const Tensor x = normal({2, 3}).requires_grad_();
      expect_error(
          [&] {
            fixed_point([&](const Tensor& z) { return 0.5 * z + x; }, zeros({2, 3}),
                        {.solver = candidate.solver, .gradient = rule});
          },
          "Picard");
    }
  }
}

// For f(z) = z A + x the phantom gradient is damping · Σ_{j<k} g Mʲ with M = (1 − damping) I + damping Aᵀ;
// the rest of the series, which it leaves out, is u Mᵏ, where u is the exact adjoint.
TEST(PhantomGradient, IsOffByTheRestOfItsSeries) {
  for (const double damping : {1.0, 0.5}) {
    for (const std::int64_t steps : {1, 2, 5, 20}) {
      const Tensor a = affine_matrix(6, 0.8, false).to(options());
      const Tensor x = normal({3, 6}).requires_grad_(), g = normal({3, 6}), eye = torch::eye(6, options());
      const Tensor value = fixed_point([&](const Tensor& z) { return z.matmul(a) + x; }, zeros({3, 6}),
                                       {.gradient = PhantomGradient{.steps = steps, .damping = damping}})
                               .value;
      const Tensor exact = g.matmul(torch::inverse(eye - a.t()));
      const Tensor rest = exact.matmul(torch::matrix_power((1 - damping) * eye + damping * a.t(), steps));
      EXPECT_TRUE(close(grad({value}, {x}, {g})[0], exact - rest, 1e-12))
          << steps << " steps, damping " << damping;
    }
  }
}

TEST(PhantomGradient, OfManyStepsIsTheExactOne) {
  const Tensor w = (normal({3, 3}) * 0.15).requires_grad_(), x = normal({2, 3}).requires_grad_();
  const auto gradients = [&](const GradientRule& rule) {
    const Tensor z = fixed_point([&](const Tensor& y) { return torch::tanh(y.matmul(w) + x); }, zeros({2, 3}),
                                 {.gradient = rule, .tolerance = {.relative = 1e-13}})
                         .value;
    return grad({z.pow(3).sum()}, {w, x});
  };
  const auto exact = gradients(ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}});
  double previous = 1.0;
  for (const std::int64_t steps : {1, 4, 16, 64}) {
    const double error = max_difference(gradients(PhantomGradient{.steps = steps})[0], exact[0]);
    EXPECT_LT(error, std::max(0.5 * previous, 1e-10)) << steps;
    previous = error;
  }
  EXPECT_LT(previous, 1e-10);
}

TEST(PhantomGradient, OfOneStepIsTheJacobianFreeOne) {
  const Inputs at{(normal({3, 3}) * 0.15).requires_grad_(), normal({2, 3}).requires_grad_()};
  const auto cell = [](const Inputs& in) {
    return [in](const Tensor& z) { return torch::tanh(z.matmul(in[0]) + in[1].sin()); };
  };
  const auto phantom = derivatives(
      [&](const Inputs& in) {
        return fixed_point(cell(in), zeros({2, 3}),
                           {.gradient = PhantomGradient{.steps = 1},
                            .tolerance = {.relative = 1e-14, .absolute = 1e-14}})
            .value;
      },
      at, 3);
  const Tensor solution = phantom[0][0].detach();
  const auto one_step = derivatives([&](const Inputs& in) { return cell(in)(solution); }, at, 3);
  for (std::size_t order = 0; order < one_step.size(); ++order) {
    for (std::size_t i = 0; i < one_step[order].size(); ++i) {
      EXPECT_TRUE(close(phantom[order][i], one_step[order][i], 1e-12))
          << "order " << order << ", input " << i;
    }
  }
}

TEST(UsersRule, IsWhatItSays) {
  const Tensor x = normal({2, 3}).requires_grad_();
  const Map f = [&](const Tensor& z) { return torch::tanh(0.5 * z + x); };
  const Tensor z =
      fixed_point(f, zeros({2, 3}), {.gradient = TwoEvaluations{}, .tolerance = {.relative = 1e-13}}).value;
  const Tensor expected = grad({f(f(z.detach())).sum()}, {x})[0];
  EXPECT_TRUE(close(grad({z.sum()}, {x})[0], expected, 1e-12));
}

TEST(ImplicitGradient, HasNoneInTheStart) {
  const Tensor x = normal({2, 3}).requires_grad_(), z0 = normal({2, 3}).requires_grad_();
  const Tensor z = fixed_point([&](const Tensor& y) { return torch::tanh(0.5 * y + x); }, z0).value;
  EXPECT_FALSE(grad({z.sum()}, {z0}, {}, true, false, /*allow_unused=*/true)[0].defined());
}

}  // namespace
}  // namespace stillpoint::test
