// Operator splitting for z = σ(W z + b) where I − W is strongly monotone: one equilibrium, which both
// splittings find.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/rows/rows.h"
#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/layer_check.h"

namespace stillpoint::test {
namespace {

const Map kRelu = [](const Tensor& z) { return torch::relu(z); };
const Map kClamp = [](const Tensor& z) { return torch::clamp(z, -0.5, 1.0); };

/// (1 − m) I − AᵀA + B − Bᵀ for normal A and B of this size: far from a contraction if that is not small.
Tensor monotone_weight(double m, double size, std::int64_t n = 20) {
  const double unit = size / std::sqrt(static_cast<double>(n));
  const Tensor a = unit * normal({n, n}), b = unit * normal({n, n});
  return (1 - m) * torch::eye(n, options()) - a.t().mm(a) + b - b.t();
}

MonotoneMap map_of(const Tensor& w, const Tensor& b, const Map& activation = kRelu) {
  const Tensor forward = torch::eye(w.size(0), w.options()) - w;
  return {.affine = [=](const Tensor& z) { return torch::addmm(b, z, w.t()); },
          .activation = activation,
          .resolvent = [=](double step) -> Map {
            const Tensor inverse = torch::inverse(torch::eye(w.size(0), w.options()) + step * forward).t();
            return [=](const Tensor& v) { return (v + step * b).mm(inverse); };
          },
          .scale =
              [=] {
                return std::pow(torch::det(forward.detach()).abs().item<double>(),
                                1.0 / static_cast<double>(w.size(0)));
              }};
}

FixedPointOptions with(const FixedPointSolver& solver, std::int64_t max_iterations = 5000) {
  return {.solver = solver, .max_iterations = max_iterations, .on_failure = OnFailure::Ignore};
}

struct Case {
  double m, size;
};
const std::vector<Case> kCases{{1.0, 0.2}, {1.0, 1.0}, {1.0, 3.0}, {0.1, 1.0}, {0.5, 5.0}};

TEST(Monotone, BothSplittingsFindTheOneEquilibrium) {
  for (const auto& activation : {kRelu, kClamp}) {
    for (const auto& [m, size] : kCases) {
      const MonotoneMap f = map_of(monotone_weight(m, size), 3 * normal({6, 20}), activation);
      const Tensor z = fixed_point(f, zeros({6, 20}), with(PeacemanRachford{})).value;
      EXPECT_TRUE(close(activation(f.affine(z)), z, 1e-8));
      for (const SolverCandidate& candidate : monotone_candidates()) {
        for (const Tensor& z0 : {zeros({6, 20}), 10 * normal({6, 20})}) {
          const auto [found, stats] = fixed_point(f, z0, with(candidate.solver));
          EXPECT_TRUE(stats.converged()) << candidate.name << ", m " << m << ", size " << size << "\n"
                                         << stats.full();
          EXPECT_TRUE(close(found, z, 1e-7 / m)) << candidate.name << ", m " << m << ", size " << size;
        }
      }
    }
  }
}

TEST(Monotone, AlsoWherePlainIterationDiverges) {
  const MonotoneMap f = map_of(monotone_weight(1.0, 3.0), normal({6, 20}));
  EXPECT_EQ(fixed_point(f, zeros({6, 20}), with(Picard{})).stats.count(Status::Converged), 0);
}

// The steps that are chosen need at most half as many iterations again as the best of a range of fixed ones.
TEST(Monotone, StepsAreNearlyTheBest) {
  const std::vector<double> steps{0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3,
                                  0.4,   0.5,  0.7,  1.0,  1.5, 2.0,  4.0};
  const auto slowest = [](const MonotoneMap& f, const FixedPointSolver& solver) {
    const auto stats = fixed_point(f, zeros({20, 20}), with(solver, 3000)).stats;
    return stats.converged() ? std::ranges::max(stats.iterations) : 100000;
  };
  for (const auto& [m, size] : kCases) {
    const MonotoneMap f = map_of(monotone_weight(m, size), normal({20, 20}));
    std::int64_t forward_backward = 100000, peaceman_rachford = 100000;
    for (const double step : steps) {
      forward_backward = std::min(forward_backward, slowest(f, ForwardBackward{.step = step}));
      peaceman_rachford = std::min(peaceman_rachford, slowest(f, PeacemanRachford{.step = step}));
    }
    EXPECT_LE(slowest(f, ForwardBackward{}), 1.5 * forward_backward) << m << ", " << size;
    EXPECT_LE(slowest(f, PeacemanRachford{}), 1.5 * peaceman_rachford) << m << ", " << size;
    EXPECT_LE(peaceman_rachford, forward_backward) << m << ", " << size;
  }
}

// Above 2m / L² a fixed step of forward–backward may diverge: that is said.
TEST(Monotone, ATooLongStepIsNotReportedAsConverged) {
  const MonotoneMap f = map_of(monotone_weight(1.0, 3.0), normal({6, 20}));
  const auto stats = fixed_point(f, zeros({6, 20}), with(ForwardBackward{.step = 2.0}, 500)).stats;
  EXPECT_EQ(stats.count(Status::Converged), 0);
}

TEST(Monotone, EverySampleForItself) {
  const Tensor w = monotone_weight(1.0, 1.0), b = normal({5, 20});
  Tensor spoiled = b.clone();
  spoiled[2].fill_(std::numeric_limits<double>::quiet_NaN());
  for (const SolverCandidate& candidate : monotone_candidates()) {
    const auto whole = fixed_point(map_of(w, b), zeros({5, 20}), with(candidate.solver));
    const auto others = fixed_point(map_of(w, spoiled), zeros({5, 20}), with(candidate.solver));
    EXPECT_EQ(others.stats.status[2], Status::NonFinite) << candidate.name;
    for (const std::int64_t i : {0, 1, 3, 4}) {
      EXPECT_TRUE(identical(others.value[i], whole.value[i])) << candidate.name << ", sample " << i;
      EXPECT_EQ(others.stats.iterations[i], whole.stats.iterations[i]) << candidate.name << ", sample " << i;
    }
  }
}

TEST(Monotone, BothPathsAgree) {
  const MonotoneMap f = map_of(monotone_weight(1.0, 3.0), normal({6, 20}));
  const auto rows = fixed_point(f, zeros({6, 20}), with(ForwardBackward{}));
  const detail::AtenPathGuard aten;
  const auto batch = fixed_point(f, zeros({6, 20}), with(ForwardBackward{}));
  EXPECT_TRUE(close(batch.value, rows.value, 1e-9));
  for (std::size_t b = 0; b < 6; ++b) EXPECT_NEAR(batch.stats.iterations[b], rows.stats.iterations[b], 2);
}

TEST(Monotone, CountsWhatItEvaluates) {
  const MonotoneMap f = map_of(monotone_weight(1.0, 1.0), normal({5, 20}));
  for (const SolverCandidate& candidate : monotone_candidates()) {
    const auto stats = fixed_point(f, zeros({5, 20}), with(candidate.solver)).stats;
    // One at the start, and one at the end for samples that ended apart.
    EXPECT_EQ(stats.evaluations, std::ranges::max(stats.iterations) + 2) << candidate.name;
  }
}

// Small weights, so that the plain loop that derivatives are compared with converges, too.
TEST(Monotone, DerivativesAreThoseOfTheLoop) {
  for (const auto& activation : {kRelu, kClamp}) {
    check_layer(
        [&](const Solve& solve, const std::vector<Tensor>& in) {
          const Tensor w = -in[0].t().mm(in[0]) + in[1] - in[1].t();
          return solve(map_of(w, in[2], activation), torch::zeros_like(in[2]));
        },
        {shared(0.2 * normal({3, 3})), shared(0.1 * normal({3, 3})), per_sample(normal({2, 3}))},
        {.variants = {implicit_variant("forward-backward", ForwardBackward{}),
                      implicit_variant("Peaceman-Rachford", PeacemanRachford{}),
                      implicit_variant("Anderson", Anderson{})},
         .orders = 3});
  }
}

TEST(Monotone, TakesEmptyBatchesAndAnyShape) {
  const Tensor b = normal({4, 3, 2});
  const Map affine = [=](const Tensor& z) { return b.narrow(0, 0, z.size(0)) - 2 * z; };
  const MonotoneMap f{.affine = affine,
                      .activation = kRelu,
                      .resolvent = [=](double step) -> Map {
                        return [=](const Tensor& v) {
                          return (v + step * b.narrow(0, 0, v.size(0))) / (1 + 3 * step);
                        };
                      },
                      .scale = [] { return 3.0; }};
  for (const SolverCandidate& candidate : monotone_candidates()) {
    EXPECT_TRUE(
        close(fixed_point(f, zeros({4, 3, 2}), with(candidate.solver)).value, torch::relu(b) / 3, 1e-9));
    EXPECT_EQ(fixed_point(f, zeros({0, 3, 2}), with(candidate.solver)).value.sizes(),
              at::IntArrayRef({0, 3, 2}));
  }
}

TEST(Monotone, RefusesWhatItCannotUse) {
  const Tensor b = normal({2, 3});
  MonotoneMap f = map_of(torch::zeros({3, 3}, options()), b);
  const auto solve = [&](const FixedPointSolver& solver) { fixed_point(f, zeros({2, 3}), with(solver)); };
  expect_error([&] { solve(ForwardBackward{.step = 0.0}); }, "ForwardBackward.step");
  expect_error([&] { solve(PeacemanRachford{.step = -1.0}); }, "PeacemanRachford.step");
  const auto plain = [&](const FixedPointSolver& solver) {
    fixed_point([&](const Tensor& z) { return 0.5 * z + b; }, zeros({2, 3}), with(solver));
  };
  expect_error([&] { plain(ForwardBackward{}); }, "MonotoneMap");
  expect_error([&] { plain(PeacemanRachford{}); }, "MonotoneMap");
  f.scale = [] { return 0.0; };
  expect_error([&] { solve(PeacemanRachford{}); }, "MonotoneMap.scale");
  f.resolvent = nullptr;
  expect_error([&] { solve(PeacemanRachford{}); }, "MonotoneMap.resolvent");
  f.activation = nullptr;
  expect_error([&] { solve(ForwardBackward{}); }, "activation");
  f.affine = nullptr;
  expect_error([&] { solve(ForwardBackward{}); }, "affine");
}

}  // namespace
}  // namespace stillpoint::test
