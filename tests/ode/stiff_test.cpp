// Stiff equations with known answers, and their derivatives.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <utility>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "ode/stiff_problems.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

Tensor column_leaf(const std::vector<double>& list) {
  return doubles(list).unsqueeze(1).requires_grad_(true);
}

Tensor robertson(const Tensor& y, const Tensor& k) {
  const Tensor a = y.select(1, 0);
  const Tensor b = y.select(1, 1);
  const Tensor c = y.select(1, 2);
  const Tensor first = -k[0] * a + k[1] * b * c;
  const Tensor third = k[2] * b * b;
  return torch::stack({first, -first - third, third}, 1);
}
Tensor rates() { return doubles({.04, 1e4, 3e7}); }
Tensor robertson_start() { return doubles({1.0, 0.0, 0.0}).unsqueeze(0); }

// Robertson's kinetics. (Hairer, Wanner, II, IV.1.)
TEST(Stiff, RobertsonTakesFewSteps) {
  const torch::NoGradGuard no_grad;
  const Tensor k = rates();
  const auto solve = [&](const OdeintOptions& options) {
    return odeint([&](const Tensor& s) { return robertson(s, k); }, robertson_start(), {0, 100}, options);
  };
  const Tensor right =
      solve({.method = ode::Kvaerno5{}, .tolerance = {.relative = 1e-11, .absolute = 1e-14}}).value;
  OdeintOptions options{.method = ode::Kvaerno5{}, .tolerance = {.relative = 1e-8, .absolute = 1e-8}};
  const auto [y, stats] = solve(options);
  EXPECT_TRUE(close(y, right, 1e-7));
  EXPECT_LE(stats.accepted[0], 44) << stats.full();
  options.control = ode::Pid{.proportional = 0.0, .integral = 1.0};
  const auto elementary = solve(options);
  EXPECT_TRUE(close(elementary.value, right, 1e-7));
  EXPECT_LE(elementary.stats.accepted[0], 36) << elementary.stats.full();
  EXPECT_LT(elementary.stats.jacobians, elementary.stats.accepted[0]);
}

// The discrete gradient is that of the accepted steps: also against differences, on the steps of one solve.
TEST(Stiff, GradientsOfRobertsonAgreeWithDifferences) {
  const auto solve = [](const Tensor& k, const ode::GradientRule& rule) {
    OdeintOptions options{
        .method = ode::Kvaerno5{}, .gradient = rule, .tolerance = {.relative = 1e-9, .absolute = 1e-12}};
    return odeint([k](const Tensor& y) { return robertson(y, k); }, robertson_start(), {0, 40}, options);
  };
  const Tensor k = rates().requires_grad_(true);
  const Tensor y = solve(k, ode::Discrete{}).value.select(1, 1);
  const Tensor g = torch::autograd::grad({y.select(1, 2).sum()}, {k})[0] * k.detach();
  const Tensor k2 = rates().requires_grad_(true);
  const Tensor unrolled = solve(k2, ode::Unrolled{}).value.select(1, 1);
  EXPECT_TRUE(close(y, unrolled, 1e-13));
  EXPECT_TRUE(close(g, torch::autograd::grad({unrolled.select(1, 2).sum()}, {k2})[0] * k2.detach(), 1e-11));
  const auto interpolating =
      solve(k, ode::Interpolating{.tolerance = ode::Tolerance{.relative = 1e-8, .absolute = 1e-11}});
  const Tensor by_adjoint =
      torch::autograd::grad({interpolating.value.select(1, 1).select(1, 2).sum()}, {k})[0] * k.detach();
  EXPECT_TRUE(close(g, by_adjoint, 1e-6)) << g << by_adjoint << interpolating.stats.backward->full();
  const torch::NoGradGuard no_grad;
  for (std::int64_t i = 0; i < 3; ++i) {
    const double h = 1e-4;
    Tensor up = rates();
    Tensor down = rates();
    up[i] *= 1 + h;
    down[i] *= 1 - h;
    const double difference =
        (entry(solve(up, ode::Discrete{}).value, 5) - entry(solve(down, ode::Discrete{}).value, 5)) / (2 * h);
    EXPECT_NEAR(entry(g, i), difference, 1e-6) << i;
  }
}

// μ per sample, each with its own steps: values and d(μ, x0, v0).
TEST(Stiff, VanDerPolOfManyRates) {
  const double x[6][4] = {
      {-7.116777860527605e-02, -1.58577389470064e+00, -1.27157711760746e+00, -1.00354891223814e+00},
      {-8.370774502947650e-01, -1.31404088753195e+00, -1.77275349783271e+00, -6.53544468899836e-01},
      {-1.619601512811530e+00, -4.18993020924632e-01, -1.28304353588559e+00, -2.20455934165067e-01},
      {4.041815946339995e-01, 1.90195236239840e+00, 1.81962331631363e+01, 1.21855634204676e+00},
      {1.602210629065804e+00, 4.96048583575057e-02, 1.51840587263357e+00, 5.06699763584905e-02},
      {1.820377430595172e+00, 9.74815385023182e-03, 1.17878512823031e+00, 1.96518812058641e-02}};
  const double v[6] = {2.007097824476286e+00,  1.307088937799672e+00,  4.409118683301343e-01,
                       -2.437112684093512e+00, -1.013399527169810e-01, -3.930376241172825e-02};
  const Tensor mu = column_leaf({.5, 1, 2, 5, 10, 20});
  const Tensor y0 = doubles({2.0, 0.0}).expand({6, 2}).clone().requires_grad_(true);
  OdeintOptions options = tight_stiff();
  options.steps = ode::Steps::PerSample;
  const auto f = [](const Tensor& /*t*/, const Tensor& y, const std::vector<Tensor>& in) {
    return van_der_pol(y, in[0]);
  };
  const auto [y, stats] = odeint({f, {mu}}, y0, {0, 5}, options);
  EXPECT_TRUE(stats.finished());
  EXPECT_LT(stats.sample_evaluations, 6 * stats.evaluations) << "finished samples are left out";
  const auto g = torch::autograd::grad({y.select(1, 1).select(1, 0).sum()}, {mu, y0});
  for (std::int64_t b = 0; b < 6; ++b) {
    EXPECT_NEAR(entry(y[b][1], 0), x[b][0], 1e-8) << b;
    EXPECT_NEAR(entry(y[b][1], 1), v[b], 1e-8) << b;
    EXPECT_NEAR(entry(g[0], b), x[b][1], 1e-6) << b;
    EXPECT_NEAR(entry(g[1], 2 * b), x[b][2], 1e-6) << b;
    EXPECT_NEAR(entry(g[1], 2 * b + 1), x[b][3], 1e-6) << b;
  }
}

TEST(Stiff, VanDerPolHasItsHessian) {
  const double right[3][3] = {{1.27239582504e+00, 1.58867628884e-01, 7.84503165724e-01},
                              {1.58867628884e-01, 6.12439031714e-01, 1.15808536773e+00},
                              {7.84503165724e-01, 1.15808536773e+00, 4.01012685374e-01}};
  const Tensor mu = parameter(1);
  const Tensor x = parameter(2);
  const Tensor v = parameter(0);
  const auto y = odeint([mu](const Tensor& s) { return van_der_pol(s, mu); }, torch::stack({x, v}, 1), {0, 5},
                        tight_stiff());
  const Derivatives found(y.value.select(1, 1).select(1, 0), {mu, x, v});
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) EXPECT_NEAR(found.second[i][j], right[i][j], 1e-5) << i << j;
  }
}

// On the slow manifold x²/2 − ln x falls by t/μ, to O(1/μ²). The other value is that of the Test Set for IVP
// Solvers, problem VDPOL, in the time in which μ² = 1e6 stands beside v.
TEST(Stiff, VanDerPolOfLargeRates) {
  const torch::NoGradGuard no_grad;
  for (const double rate : {1e4, 1e5, 1e6}) {
    const Tensor mu = doubles({rate});
    const auto [y, stats] = odeint([&](const Tensor& s) { return van_der_pol(s, mu); },
                                   doubles({2.0, 0.0}).unsqueeze(0), {0, 5}, tight_stiff());
    ASSERT_TRUE(stats.finished()) << stats.full();
    const double x = entry(y, 2);
    EXPECT_NEAR(x * x / 2 - std::log(x), 2 - std::log(2.0) - 5 / rate, 10 / (rate * rate) + 1e-9) << rate;
    EXPECT_LT(stats.accepted[0], 200);
  }
  const auto scaled = [](const Tensor& y) {
    const Tensor x = y.narrow(1, 0, 1);
    const Tensor v = y.narrow(1, 1, 1);
    return torch::cat({v, 1e6 * ((1 - x * x) * v - x)}, 1);
  };
  OdeintOptions options = tight_stiff();
  options.tolerance = {.relative = 1e-9, .absolute = 1e-11};
  const auto [y, stats] = odeint(scaled, doubles({2.0, -.66}).unsqueeze(0), {0, 2}, options);
  ASSERT_TRUE(stats.finished()) << stats.full();
  // Errors of steps add up to one of the time.
  const double bound = 3e-9 * static_cast<double>(stats.accepted[0]);
  EXPECT_NEAR(entry(y, 2), .1706167732170483e1, bound) << stats.full();
  EXPECT_NEAR(entry(y, 3), -.8928097010247975, bound);
}

// y' = −l (y − cos t): the rule that solves for y backwards is right or says that it is not.
TEST(Stiff, GradientsWhereBacksolveIsATrap) {
  for (const double rate : {50.0, 1000.0}) {
    const double s = 1 + rate * rate;
    const double right = rate * rate / s * std::cos(2.0) + rate / s * std::sin(2.0);
    const double in_l = 2 * rate / (s * s) * std::cos(2.0) + (1 - rate * rate) / (s * s) * std::sin(2.0);
    const auto solve = [&](const ode::GradientRule& rule, const Tensor& l) {
      OdeintOptions options = tight_stiff();
      options.gradient = rule;
      const auto f = [l](const Tensor& t, const Tensor& y) { return -l * (y - torch::cos(t)); };
      return odeint(f, torch::full({1, 1}, 2.0, torch::kDouble), {0, 2}, options);
    };
    for (const ode::GradientRule& rule :
         {ode::GradientRule(ode::Discrete{}), ode::GradientRule(tight_adjoint<ode::Interpolating>())}) {
      const Tensor l = parameter(rate);
      const auto y = solve(rule, l);
      EXPECT_NEAR(entry(y.value, 1), right, 1e-9) << rate;
      EXPECT_NEAR(entry(torch::autograd::grad({y.value.select(1, 1).sum()}, {l})[0], 0), in_l,
                  1e-6 * std::abs(in_l) + 1e-10)
          << rate << rule.name();
    }
    const Tensor l = parameter(rate);
    const auto y = solve(ode::Backsolve{.max_steps = 2000, .on_failure = OnFailure::Ignore}, l);
    const double g = entry(torch::autograd::grad({y.value.select(1, 1).sum()}, {l})[0], 0);
    const bool says_no = !y.stats.backward->finished() || !(y.stats.backward->reconstruction[0] <= 100.0);
    EXPECT_TRUE(says_no || std::abs(g - in_l) <= 1e-4 * std::abs(in_l)) << rate << " " << g << " " << in_l;
  }
}

// Twenty species, twenty-five reactions. (Verwer 1994; Test Set for IVP Solvers, POLLU.)
Tensor pollution(const Tensor& y, const Tensor& k1, const Tensor& k17) {
  const auto s = [&](std::int64_t i) { return y.narrow(1, i - 1, 1); };
  const Tensor r1 = k1 * s(1), r2 = 26.6 * s(2) * s(4), r3 = 12300 * s(5) * s(2), r4 = 8.6e-4 * s(7),
               r5 = 8.2e-4 * s(7), r6 = 15000 * s(7) * s(6), r7 = 1.3e-4 * s(9), r8 = 24000 * s(9) * s(6),
               r9 = 16500 * s(11) * s(2), r10 = 9000 * s(11) * s(1), r11 = .022 * s(13),
               r12 = 12000 * s(10) * s(2), r13 = 1.88 * s(14), r14 = 16300 * s(1) * s(6), r15 = 4.8e6 * s(3),
               r16 = 3.5e-4 * s(4), r17 = k17 * s(4), r18 = 1e8 * s(16), r19 = 4.44e11 * s(16),
               r20 = 1240 * s(17) * s(6), r21 = 2.1 * s(19), r22 = 5.78 * s(19), r23 = .0474 * s(1) * s(4),
               r24 = 1780 * s(19) * s(1), r25 = 3.12 * s(20);
  return torch::cat({-r1 - r10 - r14 - r23 - r24 + r2 + r3 + r9 + r11 + r12 + r22 + r25,
                     -r2 - r3 - r9 - r12 + r1 + r21,
                     -r15 + r1 + r17 + r19 + r22,
                     -r2 - r16 - r17 - r23 + r15,
                     -r3 + 2 * r4 + r6 + r7 + r13 + r20,
                     -r6 - r8 - r14 - r20 + r3 + 2 * r18,
                     -r4 - r5 - r6 + r13,
                     r4 + r5 + r6 + r7,
                     -r7 - r8,
                     -r12 + r7 + r9,
                     -r9 - r10 + r8 + r11,
                     r9,
                     -r11 + r10,
                     -r13 + r12,
                     r14,
                     -r18 - r19 + r16,
                     -r20,
                     r20,
                     -r21 - r22 - r24 + r23 + r25,
                     -r25 + r24},
                    1);
}

// Each row of the batch is asked for the derivatives of another species.
TEST(Stiff, PollutionWithItsSensitivities) {
  const double right[20][3] = {{5.646255480022769e-02, -1.14148533888954e-02, -7.41941965025818e-10},
                               {1.342484130422339e-01, 1.12999291129033e-02, 7.58124742551430e-10},
                               {4.139734331099427e-09, 1.09886085653045e-08, 1.15065415384994e-09},
                               {5.523140207484360e-03, 1.42019423403843e-02, -1.05590912294534e-10},
                               {2.018977262302222e-07, -1.29898796967074e-09, -1.98640236653746e-16},
                               {1.464541863493985e-07, 2.59897171532574e-08, 1.65502923984079e-15},
                               {7.784249118997964e-02, -2.11327283838521e-03, -1.55738168969243e-10},
                               {3.245075353396018e-01, 2.51256067149296e-03, 1.85159732483935e-10},
                               {7.494013383880406e-03, -3.83598144020171e-04, -2.82450366105426e-11},
                               {1.622293157301578e-08, 9.01062545757082e-10, 4.50077746348753e-17},
                               {1.135863833257087e-08, 7.14842024453662e-10, 3.68736771451740e-17},
                               {2.230505975721360e-03, 4.04907320059950e-04, 2.98353216868016e-11},
                               {2.087162882798630e-04, -1.94787736512370e-05, -1.44249212122743e-12},
                               {1.396921016840266e-05, 1.95635142851579e-06, 1.18053507371538e-13},
                               {8.964884856898293e-03, -1.18355557266555e-04, -9.64703756938894e-12},
                               {4.352846369330104e-18, 1.11927039386049e-17, -8.32173368681350e-26},
                               {6.899219696263405e-03, -1.82462008424325e-05, -1.34350131467463e-12},
                               {1.007803037365946e-04, 1.82462008424325e-05, 1.34350131467463e-12},
                               {1.772146513969997e-06, 4.23209099164678e-06, -5.53121582538135e-14},
                               {5.682943292316439e-05, 1.24263257959099e-04, -2.51896783826505e-12}};
  const Tensor k1 = torch::full({20, 1}, .35, torch::kDouble).requires_grad_(true);
  const Tensor k17 = torch::full({20, 1}, .0175, torch::kDouble).requires_grad_(true);
  Tensor y0 = torch::zeros({20, 20}, torch::kDouble);
  const std::vector<std::pair<int, double>> starts{{2, .2}, {4, .04}, {7, .1}, {8, .3}, {9, .01}, {17, .007}};
  for (const auto& [species, amount] : starts) y0.select(1, species - 1).fill_(amount);
  OdeintOptions options = tight_stiff();
  options.tolerance = {.relative = 1e-9, .absolute = 1e-16};
  const auto [y, stats] =
      odeint([=](const Tensor& s) { return pollution(s, k1, k17); }, y0, {0, 60}, options);
  ASSERT_TRUE(stats.finished()) << stats.full();
  const auto g = torch::autograd::grad({y.select(1, 1).diagonal().sum()}, {k1, k17});
  for (std::int64_t i = 0; i < 20; ++i) {
    EXPECT_NEAR(entry(y[i][1], i) / right[i][0], 1.0, 1e-8) << i + 1;
    EXPECT_NEAR(entry(g[0], i) / right[i][1], 1.0, 1e-6) << i + 1;
    // The small ones are differences of far larger numbers.
    EXPECT_NEAR(entry(g[1], i), right[i][2], 1e-6 * std::abs(right[i][2]) + 1e-6 * right[i][0]) << i + 1;
  }
}

// Log-density of a linear flow: z and the integral of the trace, as a list.
TEST(Stiff, LogDensityOfALinearFlow) {
  const Tensor a = doubles({.3, -1, 1.2, -.8}).requires_grad_(true);
  const Tensor t = doubles({0, 1.5}).requires_grad_(true);
  const Tensor x = doubles({1, -.5}).unsqueeze(0).requires_grad_(true);
  const auto f = [a](const Tensor& /*t*/, const std::vector<Tensor>& y) {
    return std::vector<Tensor>{torch::matmul(y[0], a.view({2, 2}).t()),
                               (a[0] + a[3]).expand({y[0].size(0), 1}).contiguous()};
  };
  const auto y = odeint(f, {x, torch::zeros({1, 1}, torch::kDouble)}, t, tight_stiff());
  const Tensor z = y.value[0].select(1, 1);
  EXPECT_NEAR(entry(z, 0), .8557602407917888, 1e-8);
  EXPECT_NEAR(entry(z, 1), 1.006831250066967, 1e-8);
  const Tensor density =
      (-.5 * z.square().sum(1) - std::log(2 * M_PI) + y.value[1].select(1, 1).select(1, 0)).sum();
  EXPECT_NEAR(density.item<double>(), -3.460894444325061, 1e-8);
  const auto g = torch::autograd::grad({density}, {a, t, x});
  EXPECT_TRUE(close(
      g[0], doubles({-.8128882364720238, -.8185615498922676, .215663701075603, 1.193836102724878}), 1e-7));
  EXPECT_NEAR(entry(g[1], 1), -.08105157462567861, 1e-7);
  EXPECT_TRUE(close(g[2].flatten(), doubles({-1.292090698321564, .907888115019733}), 1e-7));
}

}  // namespace
}  // namespace stillpoint::test
