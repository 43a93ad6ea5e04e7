// What a status must not claim: solutions at infinity, where there is none, or of samples that others
// disturb.
#include <gtest/gtest.h>

#include <cmath>

#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

Tensor at(double number) { return vector({number}).unsqueeze(1); }

TEST(Truth, NothingConvergesAtInfinity) {
  const Map g = [](const Tensor& z) { return 100.0 * (-0.03 * z).exp() - 100.0; };
  for (const RootCandidate& candidate : root_candidates()) {
    const auto [z, stats] =
        root(g, at(1000.0), {.solver = candidate.solver, .on_failure = OnFailure::Ignore});
    if (stats.converged()) {
      EXPECT_NEAR(z.item<double>(), 0.0, 1e-9) << candidate.name;
    }
  }
  const auto growing = fixed_point([](const Tensor& z) { return z * z; }, at(1e200),
                                   {.solver = Picard{}, .on_failure = OnFailure::Ignore});
  EXPECT_EQ(growing.stats.status[0], Status::NonFinite);
}

// |g| is at least 0.43 everywhere, and z runs away.
TEST(Truth, NothingConvergesWhereThereIsNoRoot) {
  const Map g = [](const Tensor& z) { return z.atan() + 2.0; };
  for (const RootCandidate& candidate : root_candidates()) {
    for (const double start : {5.0, -5.0, 0.0}) {
      const auto stats =
          root(g, at(start), {.solver = candidate.solver, .on_failure = OnFailure::Ignore}).stats;
      EXPECT_FALSE(stats.converged()) << candidate.name << " from " << start << ": " << stats.full();
    }
  }
}

TEST(Truth, ARootDoesNotDependOnTheUnitOfItsResidual) {
  for (const RootCandidate& candidate : root_candidates()) {
    for (const double unit : {1e-200, 1e-30, 1e-9, 1.0, 1e9, 1e30, 1e200}) {
      // Written such that dz/dt = g(z) attracts; in the unit of time of g, too.
      const Map g = [=](const Tensor& z) { return unit * (2.0 - z * z); };
      const auto& in_time = candidate.claims.in_time;
      const RootSolver used = in_time ? in_time(1.0 / unit) : candidate.solver;
      const auto [z, stats] = root(g, at(50.0), {.solver = used, .on_failure = OnFailure::Ignore});
      EXPECT_TRUE(stats.converged()) << candidate.name << ", unit " << unit << ": " << stats.full();
      EXPECT_NEAR(z.item<double>(), std::sqrt(2.0), 3e-10) << candidate.name << ", unit " << unit;
    }
  }
}

TEST(Truth, ARootDoesNotDependOnTheUnitOfItsState) {
  for (const RootCandidate& candidate : root_candidates()) {
    for (const double unit : {1e-30, 1e-6, 1e6, 1e30}) {
      const Map g = [=](const Tensor& z) { return 2.0 - (z / unit).square(); };
      const auto& in_time = candidate.claims.in_time;
      const RootSolver used = in_time ? in_time(unit) : candidate.solver;
      const auto [z, stats] = root(g, at(3.0 * unit),
                                   {.solver = used,
                                    .tolerance = {.relative = 1e-10, .absolute = 0.0},
                                    .on_failure = OnFailure::Ignore});
      EXPECT_TRUE(stats.converged()) << candidate.name << ", unit " << unit << ": " << stats.full();
      EXPECT_NEAR(z.item<double>() / unit, std::sqrt(2.0), 3e-10) << candidate.name << ", unit " << unit;
    }
  }
}

TEST(Truth, EveryNormMeasuresRoots) {
  for (const Norm norm : {Norm::Euclidean, Norm::RootMeanSquare, Norm::Maximum}) {
    const Tensor a = torch::rand({3, 40}, options()) + 0.5;
    const auto [z, stats] = root([&](const Tensor& x) { return 1e6 * (x * x - a); }, torch::ones_like(a),
                                 {.tolerance = {.norm = norm}});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_TRUE(close(z, a.sqrt(), 1e-9));
    // One step before, by the same norm, it is not solved yet.
    for (std::size_t b = 0; b < 3; ++b) EXPECT_LE(stats.residual[b], stats.allowed[b]);
  }
}

// Where ∂g/∂z is zero at the root the error, not its square, is held to the tolerance.
TEST(Truth, ADoubleRootIsFoundToTheTolerance) {
  for (const RootSolver& solver : {RootSolver(Newton{}), RootSolver(Dogleg{}), RootSolver(Chord{})}) {
    const auto [z, stats] = root([](const Tensor& x) { return x * x; }, at(1.0), {.solver = solver});
    EXPECT_TRUE(stats.converged()) << stats.full();
    EXPECT_LE(std::abs(z.item<double>()), 3e-12) << solver.name();
  }
}

TEST(Truth, OfAStartThatIsTheRoot) {
  for (const RootCandidate& candidate : root_candidates()) {
    const auto stats = root([](const Tensor& x) { return 1e9 * (x * x - 2.0); }, at(std::sqrt(2.0)),
                            {.solver = candidate.solver})
                           .stats;
    EXPECT_TRUE(stats.converged());
    EXPECT_EQ(stats.iterations[0], 0) << candidate.name;
  }
}

// A state of shape [n] means n samples of one number; this map couples them.
TEST(Truth, SamplesThatDependOnEachOtherAreNotTakenForSolved) {
  torch::manual_seed(3);
  const std::int64_t n = 100;
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const Tensor weight = 0.9 * std::get<0>(torch::linalg_qr(normal({n, n}))).to(dtype);
    const Tensor x = normal({n}).to(dtype);
    const Map f = [&](const Tensor& z) { return torch::tanh(torch::mv(weight, z) + x); };
    for (const FixedPointSolver& solver :
         {FixedPointSolver(Anderson{}), FixedPointSolver(Picard{}), FixedPointSolver(Auto{})}) {
      const auto [z, stats] =
          fixed_point(f, torch::zeros({n}, x.options()), {.solver = solver, .on_failure = OnFailure::Ignore});
      const Tensor residual = (f(z) - z).abs();
      for (std::int64_t b = 0; b < n; ++b) {
        const double r = residual[b].item<double>();
        EXPECT_LE(r, 2.0 * std::max(stats.residual[b], stats.allowed[b])) << solver.name();
        if (stats.status[b] == Status::Converged) {
          EXPECT_LE(r, 2.0 * stats.allowed[b]) << solver.name() << " " << b;
        }
      }
    }
  }
}

TEST(Truth, SamplesThatDependOnEachOtherGoOn) {
  torch::manual_seed(4);
  const std::int64_t n = 30;
  const Tensor weight = 0.5 * std::get<0>(torch::linalg_qr(normal({n, n})));
  const Tensor x = normal({n});
  const Map f = [&](const Tensor& z) { return torch::tanh(torch::mv(weight, z) + x); };
  const auto [z, stats] = fixed_point(f, zeros({n}), {.solver = Picard{}});
  EXPECT_TRUE(stats.converged()) << stats.full();
  const auto whole = fixed_point([&](const Tensor& row) { return f(row[0]).unsqueeze(0); }, zeros({1, n}));
  EXPECT_TRUE(close(z, whole.value[0], 1e-8));
}

// The iteration is differentiated as it was; what it is worth is said.
TEST(Truth, UnrolledIterationsOfCoupledSamplesSaySo) {
  torch::manual_seed(4);
  const std::int64_t n = 100;
  const Tensor weight = (0.9 * std::get<0>(torch::linalg_qr(normal({n, n})))).requires_grad_();
  const Tensor x = normal({n});
  const Map f = [&](const Tensor& z) { return torch::tanh(torch::mv(weight, z) + x); };
  for (const GradientRule& rule : {GradientRule(UnrolledGradient{}), GradientRule(CheckpointedGradient{})}) {
    const auto [z, stats] = fixed_point(
        f, zeros({n}),
        {.solver = Picard{}, .gradient = rule, .max_iterations = 1000, .on_failure = OnFailure::Ignore});
    const torch::NoGradGuard off;
    const Tensor residual = (f(z) - z).abs();
    for (std::int64_t b = 0; b < n; ++b) {
      const bool solved = residual[b].item<double>() <= 2.0 * stats.allowed[b];
      EXPECT_EQ(stats.status[b] == Status::Converged, solved) << b;
    }
  }
}

TEST(Truth, ASolveThatIsStuckEndsEarly) {
  const Map circle = [](const Tensor& z) { return 1.0 - z; };
  for (const auto& [allowed, taken] : {std::pair{200, 100}, std::pair{10000, 5000}}) {
    const auto stats =
        fixed_point(circle, zeros({1, 3}),
                    {.solver = Picard{}, .max_iterations = allowed, .on_failure = OnFailure::Ignore})
            .stats;
    EXPECT_EQ(stats.status[0], Status::Stalled);
    EXPECT_EQ(stats.iterations[0], taken);
  }
  EXPECT_EQ(
      fixed_point(
          circle, zeros({1, 3}),
          {.solver = Picard{}, .max_iterations = 10000, .stall_window = 20, .on_failure = OnFailure::Ignore})
          .stats.iterations[0],
      20);
}

}  // namespace
}  // namespace stillpoint::test
