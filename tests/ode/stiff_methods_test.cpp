// Implicit methods: their stability, the orders they show, and what the reports say.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <complex>
#include <string>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "ode/stiff_problems.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

std::vector<MethodCandidate> stiff_candidates(bool adaptive) {
  std::vector<MethodCandidate> all = method_candidates();
  std::erase_if(all, [&](const MethodCandidate& c) {
    return !c.stiff || (adaptive && c.method.embedded_order() == 0);
  });
  return all;
}

class StiffMethods : public testing::TestWithParam<MethodCandidate> {};
class AdaptiveStiffMethods : public testing::TestWithParam<MethodCandidate> {};

// R(z) = 1 + z bᵀ (I − zA)⁻¹ 1. (Hairer, Wanner, II, IV.3.)
std::complex<double> stability_function(const ode::Tableau& t, std::complex<double> z) {
  std::vector<std::complex<double>> x;
  std::complex<double> value = 1.0;
  for (std::size_t i = 0; i < t.stages(); ++i) {
    std::complex<double> sum = 1.0;
    for (std::size_t j = 0; j < i && j < t.a[i].size(); ++j) sum += z * t.a[i][j] * x[j];
    x.push_back(t.is_implicit(i) ? sum / (1.0 - z * t.a[i][i]) : sum);
    value += z * t.b[i] * x[i];
  }
  return value;
}

// R has no poles on the left, so there its modulus is largest on the imaginary axis.
TEST_P(StiffMethods, IsAStable) {
  const ode::Tableau& t = *GetParam().method.tableau();
  for (std::size_t i = 0; i < t.stages(); ++i) {
    if (t.is_implicit(i)) {
      EXPECT_GT(t.a[i][i], 0.0);
    }
  }
  for (double y = 1e-4; y < 1e7; y *= 1.05) EXPECT_LE(std::abs(stability_function(t, {0.0, y})), 1.0 + 1e-12);
}

TEST_P(StiffMethods, IsLStableIfItSaysSo) {
  const double far = std::abs(stability_function(*GetParam().method.tableau(), {-1e9, 0.0}));
  const bool rings = GetParam().name == "Trapezoid" || GetParam().name == "ImplicitMidpoint";
  if (rings) {
    EXPECT_NEAR(far, 1.0, 1e-6);
  } else {
    EXPECT_LT(far, 1e-6);
  }
}

// Prothero, Robinson: y' = −l (y − cos t) − sin t with l = 1e6, from the smooth solution.
struct ProtheroRobinson {
  Tensor l = parameter(1e6);
  Tensor y0 = parameter(1.0);

  Tensor solve(const OdeintOptions& options) const {
    const auto f = [l = l](const Tensor& t, const Tensor& y) {
      return -l * (y - torch::cos(t)) - torch::sin(t);
    };
    return odeint(f, y0.unsqueeze(1), {0, 1.5}, options).value.select(1, 1);
  }
};

TEST_P(AdaptiveStiffMethods, FollowsProtheroAndRobinson) {
  const ProtheroRobinson problem;
  OdeintOptions options{.method = GetParam().method, .tolerance = {.relative = 1e-7, .absolute = 1e-7}};
  const Tensor y = problem.solve(options);
  EXPECT_NEAR(entry(y, 0), .07073720166770291, 1e-6);
  const auto g = torch::autograd::grad({y.sum()}, {problem.l, problem.y0});
  EXPECT_NEAR(entry(g[0], 0), 0.0, 1e-10);
  EXPECT_NEAR(entry(g[1], 0), 0.0, 1e-10);
}

// Orders fall where the equation is stiff; by how much is a property of the method, see docs.
TEST_P(StiffMethods, ShowsItsOrderReduction) {
  const auto error = [&](double step) {
    const torch::NoGradGuard no_grad;
    const Tensor y =
        ProtheroRobinson().solve({.method = GetParam().method, .control = ode::ConstantStep{step}});
    return std::abs(entry(y, 0) - .07073720166770291);
  };
  const double coarse = error(.15);
  const double fine = error(.075);
  // That of the stages; the midpoint rule gains one by its symmetry.
  const ode::Tableau& t = *GetParam().method.tableau();
  const double expected = !t.is_implicit(0) || GetParam().name == "ImplicitMidpoint" ? 2.0 : 1.0;
  EXPECT_NEAR(std::log2(coarse / fine), expected, 0.6) << coarse << " " << fine;
}

// Discrete values, exact to rounding. y' = −a y²: value, gradient in (a, y0), Hessian.
TEST(Stiff, DiscreteValuesAreExact) {
  struct Right {
    ode::Method method;
    std::vector<double> first;
    std::vector<double> second;
    double value;
  };
  const std::vector<Right> all{{ode::ImplicitEuler{},
                                {-.1466204495485041, .2688905343600898},
                                {.1137518257316123, -.1817044070573902, -.2952696614682591},
                                .4057190119011272},
                               {ode::Trapezoid{},
                                {-.1543900099121351, .2386477829255008},
                                {.1206313393671408, -.189949098308734, -.3086672847516928},
                                .3916252392261763},
                               {ode::ImplicitMidpoint{},
                                {-.1540876366078208, .2394719155014813},
                                {.1206253126410584, -.189202958477832, -.307454807526477},
                                .391891459991352}};
  for (const Right& right : all) {
    const Tensor a = parameter(1.3);
    const Tensor y0 = parameter(.8);
    const auto y = odeint([a](const Tensor& s) { return -a * s * s; }, y0.unsqueeze(1), {0, 1},
                          {.method = right.method, .control = ode::ConstantStep{.1}});
    EXPECT_NEAR(entry(y.value, 1), right.value, 1e-14) << right.method.name();
    const Derivatives found(y.value.select(1, 1), {a, y0});
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(found.first[i], right.first[i], 1e-13) << i;
    EXPECT_NEAR(found.second[0][0], right.second[0], 1e-12) << right.method.name();
    EXPECT_NEAR(found.second[0][1], right.second[1], 1e-12) << right.method.name();
    EXPECT_NEAR(found.second[1][1], right.second[2], 1e-12) << right.method.name();
  }
}

TEST(ImplicitStages, SamplesDoNotSeeEachOther) {
  const torch::NoGradGuard no_grad;
  const Tensor mu = doubles({1, 50, 1000}).unsqueeze(1);
  const Tensor y0 = doubles({2, 0}).expand({3, 2}).clone();
  const OdeintOptions options{.method = ode::Kvaerno5{}, .steps = ode::Steps::PerSample};
  const auto solve = [&](std::int64_t first, std::int64_t count) {
    const Tensor own = mu.narrow(0, first, count);
    return odeint([own](const Tensor& y) { return van_der_pol(y, own); }, y0.narrow(0, first, count),
                  {0, .7, 3}, options)
        .value;
  };
  const Tensor together = solve(0, 3);
  for (std::int64_t b = 0; b < 3; ++b) EXPECT_TRUE(identical(together.narrow(0, b, 1), solve(b, 1))) << b;
}

TEST(ImplicitStages, AJacobianOfTheCallerServes) {
  const torch::NoGradGuard no_grad;
  const Tensor mu = doubles({1000});
  std::int64_t calls = 0;
  const auto jacobian = [&](const Tensor& /*t*/, const Tensor& y) {
    ++calls;
    const Tensor x = y.select(1, 0);
    const Tensor v = y.select(1, 1);
    const Tensor zero = torch::zeros_like(x);
    return torch::stack(
        {torch::stack({zero, zero + 1}, 1), torch::stack({-2 * mu * x * v - 1, mu * (1 - x * x)}, 1)}, 1);
  };
  const auto f = [&](const Tensor& y) { return van_der_pol(y, mu); };
  const Tensor y0 = doubles({2, 0}).unsqueeze(0);
  const auto own = odeint(f, y0, {0, 2}, {.method = ode::Kvaerno5{.newton = {.jacobian = jacobian}}});
  const auto found = odeint(f, y0, {0, 2}, {.method = ode::Kvaerno5{}});
  EXPECT_TRUE(close(own.value, found.value, 1e-12));
  EXPECT_EQ(own.stats.jacobians, calls);
  EXPECT_EQ(own.stats.jacobians, found.stats.jacobians);
  EXPECT_LT(own.stats.evaluations, found.stats.evaluations);
  const auto wrong = [](const Tensor& /*t*/, const Tensor& y) {
    return torch::zeros({1, 3, 3}, y.options());
  };
  EXPECT_THROW(odeint(f, y0, {0, 2}, {.method = ode::Kvaerno5{.newton = {.jacobian = wrong}}}), c10::Error);
  EXPECT_THROW(odeint(f, y0, {0, 2}, {.method = ode::Kvaerno5{.newton = {.accuracy = 0}}}), c10::Error);
  EXPECT_THROW(odeint(f, y0, {0, 2}, {.method = ode::Kvaerno5{.newton = {.max_iterations = 0}}}), c10::Error);
}

// 1 + h y² = y has no solution for h > 1/4.
TEST(ImplicitStages, StagesThatDoNotExistAreReported) {
  const auto f = [](const Tensor& y) { return y * y; };
  const Tensor y0 = doubles({1, .1}).unsqueeze(1);
  const auto constant = odeint(f, y0, {0, 1},
                               {.method = ode::ImplicitEuler{},
                                .control = ode::ConstantStep{.5},
                                .steps = ode::Steps::PerSample,
                                .on_failure = OnFailure::Ignore});
  EXPECT_EQ(constant.stats.status[0], ode::Status::StagesNotFound);
  EXPECT_EQ(constant.stats.status[1], ode::Status::Finished);
  EXPECT_NE(constant.stats.full().find("stages not found: 1 sample (#0"), std::string::npos)
      << constant.stats.full();
  const auto adaptive =
      odeint(f, y0.narrow(0, 0, 1), {0, 2}, {.method = ode::Kvaerno5{}, .on_failure = OnFailure::Ignore});
  EXPECT_NE(adaptive.stats.status[0], ode::Status::Finished);
  EXPECT_NEAR(adaptive.stats.time[0], 1.0, 1e-3) << adaptive.stats.full();
}

TEST(ImplicitStages, CountsWhatNewtonDid) {
  const auto f = [](const Tensor& y) { return -100 * y; };
  const auto [y, stats] = odeint(f, doubles({1}).unsqueeze(1), {0, 1}, {.method = ode::TrBdf2{}});
  EXPECT_GE(stats.newton_iterations, 2 * (stats.accepted[0] + stats.rejected[0]));
  EXPECT_EQ(stats.jacobians, 1) << "of a linear equation";
  EXPECT_LE(stats.factorizations, stats.accepted[0] + stats.rejected[0]);
  EXPECT_NE(stats.brief().find("1 Jacobians"), std::string::npos);
  EXPECT_EQ(odeint(f, doubles({1}).unsqueeze(1), {0, .1}).stats.newton_iterations, 0);
}

TEST(ImplicitStages, FloatAndComplexStates) {
  const auto f = [](const Tensor& t, const Tensor& y) { return -1e3 * (y - torch::cos(t)); };
  const auto [y, stats] =
      odeint(f, torch::full({2, 3}, 2.0, torch::kFloat), {0, 2}, {.method = ode::Kvaerno3{}});
  EXPECT_TRUE(stats.finished());
  EXPECT_NEAR(entry(y.select(1, 1), 0), -.41523761, 2e-4);
  // Holomorphic and not.
  const auto turn = [](const Tensor& z) { return -50 * z.conj() + c10::complex<double>(0, 3) * z; };
  const Tensor z0 = torch::complex(doubles({1}), doubles({.5})).unsqueeze(1);
  const auto stiff = odeint(turn, z0, {0, .1}, tight_stiff());
  const auto plain = odeint(turn, z0, {0, .1}, tight_odeint());
  // The imaginary part grows, by e^5.
  const double size = plain.value.abs().max().item<double>();
  EXPECT_LT((stiff.value - plain.value).abs().max().item<double>(), 1e-8 * size);
}

INSTANTIATE_TEST_SUITE_P(All, StiffMethods, testing::ValuesIn(stiff_candidates(false)),
                         [](const auto& tested) { return tested.param.name; });
INSTANTIATE_TEST_SUITE_P(All, AdaptiveStiffMethods, testing::ValuesIn(stiff_candidates(true)),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace stillpoint::test
