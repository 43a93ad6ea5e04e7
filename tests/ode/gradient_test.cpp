// Derivatives of odeint: against independent computations, and of the discrete map against unrolling.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

#include "ode/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

Tensor leaf(double value) { return torch::tensor({value}, torch::dtype(torch::kDouble).requires_grad(true)); }
std::vector<Tensor> gradients(const Tensor& of, const std::vector<Tensor>& in, bool create_graph = true) {
  return torch::autograd::grad({of.sum()}, in, {}, true, create_graph, true);
}
double number(const Tensor& t) { return t.defined() ? t.sum().item<double>() : 0.0; }

// y' = a y cos(w t), in (y0, a, w, t0, t1).
struct Cosine {
  std::vector<Tensor> p{leaf(1.3), leaf(1.5), leaf(2), leaf(.25), leaf(2)};

  Tensor solve(const OdeintOptions& options) const {
    const auto f = [a = p[1], w = p[2]](const Tensor& t, const Tensor& y) {
      return a * y * torch::cos(w * t);
    };
    return odeint(f, p[0].unsqueeze(1), torch::cat({p[3], p[4]}), options).value.select(1, 1);
  }
};

class GradientRules : public testing::TestWithParam<ode::GradientRule> {};

TEST_P(GradientRules, GiveTheWholeHessian) {
  const double gradient[] = {.395671473098824, -.3179411087216493, -.3505074117896539, -.6771070508065571,
                             -.5043248619800713};
  const double hessian[5][5] = {
      {0, -.2445700836320379, -.2696210859920415, -.5208515775435054, -.3879422015231318},
      {0, .1965238558674038, -.01701806358559246, -.03287534145438891, -.02448630836406562},
      {0, 0, 1.768748159285747, .5538751055364945, 1.511496517509663},
      {0, 0, 0, 1.631136545974096, .6638800566022194},
      {0, 0, 0, 0, 1.662309210151372}};
  for (const bool per_sample : {false, true}) {
    const Cosine problem;
    OdeintOptions options = tight_odeint();
    options.gradient = GetParam();
    if (per_sample) options.steps = ode::Steps::PerSample;
    const Tensor y = problem.solve(options);
    const auto first = gradients(y, problem.p);
    for (int i = 0; i < 5; ++i) {
      EXPECT_NEAR(number(first[i]), gradient[i], 1e-9) << i;
      const auto row = gradients(first[i], problem.p);
      for (int j = i; j < 5; ++j) EXPECT_NEAR(number(row[j]), hessian[i][j], 2e-8) << i << j;
    }
    if (per_sample) continue;
    const auto second = gradients(first[1], problem.p);
    EXPECT_NEAR(number(gradients(second[1], problem.p)[1]), -.1214741499778959, 1e-7);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GradientRules,
                         testing::Values(ode::GradientRule(ode::Discrete{}),
                                         ode::GradientRule(ode::Unrolled{})),
                         [](const auto& tested) { return tested.param.name(); });

// Saved times in the loss.
TEST(OdeintGradient, OfOutputsBetweenSteps) {
  const Tensor p = torch::tensor({2.5, 4.5}, torch::dtype(torch::kDouble).requires_grad(true));
  for (const bool stop : {false, true}) {
    OdeintOptions options = tight_odeint();
    options.stop_at_outputs = stop;
    const auto f = [p](const Tensor& y) {
      const Tensor y1 = y.select(1, 0);
      const Tensor y2 = y.select(1, 1);
      return torch::stack({2 - p[0] * y1, y1 - p[1] * y2}, 1);
    };
    const auto [y, stats] = odeint(f, torch::ones({1, 2}, torch::kDouble), {0, .5, .75, 20}, options);
    const Tensor loss = (y - 1).square().sum();
    EXPECT_NEAR(number(loss), 1.891614932449128, 1e-8);
    const Tensor g = gradients(loss, {p})[0];
    EXPECT_NEAR(g[0].item<double>(), .5613744601699122, 1e-7);
    EXPECT_NEAR(g[1].item<double>(), .2812853276963638, 1e-7);
    const Tensor row = gradients(g[0], {p})[0];
    EXPECT_NEAR(row[0].item<double>(), .1912843935415611, 1e-6);
    EXPECT_NEAR(row[1].item<double>(), -.02837571800048969, 1e-6);
    EXPECT_NEAR(gradients(g[1], {p})[0][1].item<double>(), -.1040121571464319, 1e-6);
  }
}

// Each row with its own span, one backwards: d(k, y0, t0, t1).
TEST(OdeintGradient, OfSpansPerSample) {
  const auto column = [](std::vector<double> list) {
    return torch::tensor(list, torch::kDouble).unsqueeze(1).requires_grad_(true);
  };
  const Tensor k = column({.5, 2, 10, 1});
  const Tensor y0 = column({1, -1, .3, 2});
  const Tensor t =
      torch::tensor({{0.0, 2.0}, {1.0, 1.5}, {-1.0, 4.0}, {3.0, 0.0}}, torch::kDouble).requires_grad_(true);
  const auto y = odeint([k](const Tensor& at, const Tensor& s) { return -k * s + torch::sin(at); }, y0, t,
                        tight_odeint());
  const auto g = gradients(y.value.select(1, 1), {k, y0, t}, false);
  const auto expected =
      torch::tensor({{-1.389680041080759, .3678794411714423, .1839397205857212, .2298877097873903},
                     {.1229382459789956, .3678794411714423, -1.045318757995997, 1.131694216714701},
                     {.006063187395178184, 1.92874984796e-22, 7.4092365779e-22, -.07221028419746582},
                     {96.87698399624851, 20.08553692318767, 37.33660271388833, -28.31157285805834}},
                    torch::kDouble);
  EXPECT_TRUE(close(torch::cat({g[0], g[1], g[2]}, 1), expected, 1e-9));
}

// Equal neighbors: the value is repeated and the gradient adds.
TEST(OdeintGradient, OfRepeatedTimes) {
  const auto f = [](const Tensor& y) { return -y; };
  for (const bool stop : {false, true}) {
    const Tensor t = torch::tensor({0.0, .5, .5}, torch::dtype(torch::kDouble).requires_grad(true));
    OdeintOptions options = tight_odeint();
    options.stop_at_outputs = stop;
    const Tensor y = odeint(f, torch::ones({1, 1}, torch::kDouble), t, options).value;
    EXPECT_TRUE(identical(y.select(1, 1), y.select(1, 2)));
    const Tensor g = gradients(y, {t}, false)[0];
    EXPECT_NEAR(g[1].item<double>(), -std::exp(-.5), 1e-9);
    EXPECT_NEAR(g[2].item<double>(), -std::exp(-.5), 1e-9);
  }
}

TEST(OdeintGradient, OfASpanWithoutLength) {
  const Tensor t = torch::tensor({1.0, 1.0}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor y0 = torch::full({1, 1}, 2.0, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor y = odeint([](const Tensor& s) { return 3 * s; }, y0, t).value;
  EXPECT_TRUE(identical(y.select(1, 1), y0));
  const auto g = gradients(y.select(1, 1), {t, y0}, false);
  EXPECT_NEAR(g[0][0].item<double>(), -6, 1e-12);
  EXPECT_NEAR(g[0][1].item<double>(), 6, 1e-12);
  EXPECT_NEAR(g[1].item<double>(), 1, 1e-12);
}

// Fixed steps: value, gradient and Hessian of the discrete map itself, to rounding.
TEST(OdeintGradient, OfFixedStepsIsExact) {
  const Tensor a = leaf(1.3);
  const Tensor y0 = leaf(.8);
  const Tensor y = odeint([a](const Tensor& s) { return -a * s * s; }, y0.unsqueeze(1), {0, 1},
                          {.method = ode::Rk4{}, .control = ode::ConstantStep{.2}})
                       .value.select(1, 1);
  const auto g = gradients(y, {a, y0});
  EXPECT_NEAR(number(g[0]), -.1537780380997048, 1e-14);
  EXPECT_NEAR(number(g[1]), .2403117169756165, 1e-14);
  const auto by_a = gradients(g[0], {a, y0});
  EXPECT_NEAR(number(by_a[0]), .120627464730873, 1e-13);
  EXPECT_NEAR(number(by_a[1]), -.1884254650615933, 1e-13);
  EXPECT_NEAR(number(gradients(g[1], {y0})[0]), -.3061913807250891, 1e-13);
}

// A linear flow to a normal distribution, whose log-density comes with the trace: z' = A z.
TEST(OdeintGradient, OfALogDensity) {
  using List = std::vector<Tensor>;
  const std::vector<Tensor> p{leaf(.3), leaf(-1), leaf(1.2), leaf(-.8), leaf(1.5), leaf(1), leaf(-.5)};
  const auto f = [&](const List& state) {
    const Tensor first = state[0].narrow(1, 0, 1);
    const Tensor second = state[0].narrow(1, 1, 1);
    return List{torch::cat({p[0] * first + p[1] * second, p[2] * first + p[3] * second}, 1),
                (p[0] + p[3]).unsqueeze(0)};
  };
  const Tensor times = torch::cat({torch::zeros({1}, torch::kDouble), p[4]});
  const auto solution = odeint(f, List{torch::stack({p[5], p[6]}, 1), torch::zeros({1, 1}, torch::kDouble)},
                               times, tight_odeint());
  const Tensor z = solution.value[0].select(1, 1);
  EXPECT_NEAR(z[0][0].item<double>(), .8557602407917888, 1e-8);
  EXPECT_NEAR(z[0][1].item<double>(), 1.006831250066967, 1e-8);
  const Tensor density =
      solution.value[1].select(1, 1).sum() - z.square().sum() / 2 - std::log(2 * 3.14159265358979323846);
  EXPECT_NEAR(number(density), -3.460894444325061, 1e-8);
  const double expected[] = {-.8128882364720238,  -.8185615498922676, .215663701075603, 1.193836102724878,
                             -.08105157462567861, -1.292090698321564, .907888115019733};
  const auto g = gradients(density, p, false);
  for (int i = 0; i < 7; ++i) EXPECT_NEAR(number(g[i]), expected[i], 1e-6) << i;
}

// A network whose weights are a formula, forwards and backwards in time.
TEST(OdeintGradient, OfANetworkByFormula) {
  const auto formula = [](std::int64_t rows, std::int64_t columns, auto entry) {
    Tensor matrix = torch::empty({rows, columns}, torch::kDouble);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j)
        matrix[i][j] = entry(static_cast<double>(i), static_cast<double>(j));
    }
    return matrix;
  };
  const Tensor inner = formula(3, 8, [](double j, double i) { return std::sin(1 + 3 * i + j); });
  const Tensor outer = formula(8, 3, [](double i, double k) { return .5 * std::cos(1 + 8 * k + i); });
  const Tensor drive = formula(1, 8, [](double, double i) { return std::cos(i); });
  const Tensor bias = formula(1, 8, [](double, double i) { return .1 * std::cos(2 * i); });
  const std::vector<Tensor> p{leaf(1), leaf(.1), leaf(1), leaf(-.5), leaf(.25)};
  const auto f = [&](const Tensor& t, const Tensor& y) {
    return torch::mm(torch::tanh(torch::mm(y, inner) + p[0] * drive * t + bias), outer) - p[1] * y;
  };
  const auto solve = [&](double end) {
    OdeintOptions options = tight_odeint();
    options.method = ode::Verner7{};
    return odeint(f, torch::stack({p[2], p[3], p[4]}, 1), {0, end}, options).value[0][1];
  };
  const double at_one[3][6] = {{1.347702585072993, .344877668295290, -1.05663714482335, 1.02456401311047,
                                .265163052806195, .166809822649930},
                               {-1.413972011207719, -.615975739390212, .786260829576045, -.0677998660346081,
                                .788779652680441, -.0576126904363725},
                               {.06315626342673850, -.165628686482167, -.171557707377476, -.0999968294740054,
                                -.231390235240235, .754792892198624}};
  const double at_minus_three[3][6] = {{2.815049204805981, .0861271587972524, 6.11209020976046,
                                        1.45823081980678, .162652576285759, .0673911118143967},
                                       {-3.707658113225113, -1.75981630522300, -4.75050657024374,
                                        -.562268752387506, .0138928273255832, -.881382246993877},
                                       {-.2452014358250716, .425979505016538, -.256935454610928,
                                        .0552482327330372, .226113614301429, 1.53894998923345}};
  for (const double end : {1.0, -3.0}) {
    const Tensor y = solve(end);
    for (int k = 0; k < 3; ++k) {
      const double* expected = end > 0 ? at_one[k] : at_minus_three[k];
      EXPECT_NEAR(y[k].item<double>(), expected[0], 1e-8) << end << k;
      const auto g = gradients(y[k], p, true);
      for (int i = 0; i < 5; ++i) EXPECT_NEAR(number(g[i]), expected[i + 1], 1e-6) << end << k << i;
    }
  }
  const double hessian[5][5] = {
      {-.0849832553494, -.0868044729522, -.0258295216073, -.0231755685418, .000785895361457},
      {-.0868044729522, .984165565241, -1.01234900551, -.262237822643, -.175863813043},
      {-.0258295216073, -1.01234900551, -.163151301683, -.247428497345, -.104221073623},
      {-.0231755685418, -.262237822643, -.247428497345, -.412392175888, -.198204389763},
      {.000785895361457, -.175863813043, -.104221073623, -.198204389763, -.109959504021}};
  const auto g = gradients(solve(1)[0], p);
  for (int i = 0; i < 5; ++i) {
    const auto row = gradients(g[i], p);
    for (int j = 0; j < 5; ++j) EXPECT_NEAR(number(row[j]), hessian[i][j], 1e-6) << i << j;
  }
}

TEST(OdeintGradient, IsExactForTheDiscreteMap) {
  torch::manual_seed(1);
  torch::nn::Linear inner(3, 8);
  inner->to(torch::kDouble);
  torch::nn::Linear outer(8, 3);
  outer->to(torch::kDouble);
  const Tensor y0 = torch::randn({4, 3}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [=](const Tensor& t, const Tensor& y) mutable { return outer(torch::tanh(inner(y) + t)); };
  std::vector<Tensor> inputs = inner->parameters();
  inputs.push_back(y0);
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    std::vector<std::vector<Tensor>> results;
    for (const ode::GradientRule& rule :
         {ode::GradientRule(ode::Discrete{}), ode::GradientRule(ode::Unrolled{})}) {
      const Tensor y = odeint(f, y0, {0, .4, 1}, {.gradient = rule, .steps = steps}).value;
      const auto g = gradients(y.square(), inputs);
      const auto h = gradients(g[0].square().sum() + g.back().square().sum(), inputs, false);
      results.push_back(g);
      results.push_back(h);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_TRUE(close(results[0][i], results[2][i], 1e-11));
      EXPECT_TRUE(close(results[1][i], results[3][i], 1e-10));
    }
  }
}

// With s states, the fewest steps that have to be taken again for n of them are r n - C(s + r, s + 1), with
// the smallest r for which C(s + r, s) >= n. (Griewank, Walther 2000.)
TEST(Discrete, TakesTheFewestStepsAgain) {
  const auto choose = [](std::int64_t n, std::int64_t k) {
    double ways = 1;
    for (std::int64_t i = 1; i <= k; ++i) ways *= static_cast<double>(n - k + i) / static_cast<double>(i);
    return static_cast<std::int64_t>(std::llround(ways));
  };
  const auto fewest = [&](std::int64_t n, std::int64_t s) {
    std::int64_t r = 1;
    while (choose(s + r, s) < n) ++r;
    return r * n - choose(s + r, s + 1);
  };
  std::int64_t taken_again = 0;
  const auto f = [&](const Tensor& y) {
    if (!y.requires_grad()) ++taken_again;
    return torch::sin(y);
  };
  const Tensor y0 = torch::ones({1, 1}, torch::dtype(torch::kDouble).requires_grad(true));
  constexpr std::int64_t kSteps = 512;
  for (const std::int64_t checkpoints : {2, 16, 64}) {
    const OdeintOptions options{.method = ode::Euler{},
                                .control = ode::ConstantStep{1.0 / kSteps},
                                .gradient = ode::Discrete{.checkpoints = checkpoints}};
    const Tensor y = odeint(f, y0, {0, 1}, options).value;
    taken_again = 0;
    y.select(1, 1).sum().backward();
    const std::int64_t segment = kSteps / checkpoints;
    const auto halvings = static_cast<std::int64_t>(std::ceil(std::log2(segment)));
    EXPECT_EQ(taken_again, checkpoints * fewest(segment, 1 + halvings)) << checkpoints;
  }
}

// With checkpoints steps are reached again from an earlier one, and the gradient is the same.
TEST(OdeintGradient, IsTheSameWithCheckpoints) {
  const Tensor a = leaf(.7);
  const Tensor y0 = torch::tensor({{1.0}, {-.5}, {2.0}}, torch::kDouble).requires_grad_(true);
  const auto f = [a](const Tensor& t, const Tensor& y) { return a * torch::sin(3 * y) + torch::cos(5 * t); };
  for (const auto steps : {ode::Steps::Joint, ode::Steps::PerSample}) {
    const auto solve = [&](const ode::Discrete& rule) {
      OdeintOptions options{.gradient = rule, .steps = steps};
      options.jumps.times = torch::tensor({.8}, torch::kDouble);
      return odeint(f, y0, {0, .3, 1, 2.5}, options);
    };
    const auto all = solve({});
    ASSERT_GT(all.stats.accepted[0], 12);
    const auto expected = gradients(all.value.square(), {a, y0});
    for (const std::int64_t checkpoints : {2, 5, 1000}) {
      const auto some = solve({.checkpoints = checkpoints});
      EXPECT_TRUE(identical(some.value, all.value));
      const auto first = torch::autograd::grad({some.value.square().sum()}, {a, y0}, {}, true);
      for (int i = 0; i < 2; ++i) EXPECT_TRUE(close(first[i], expected[i], 1e-13)) << checkpoints;
      if (checkpoints > 2) continue;
      const auto again = gradients(some.value.square(), {a, y0});
      EXPECT_TRUE(close(gradients(again[0], {a})[0], gradients(expected[0], {a})[0], 1e-11));
    }
  }
  expect_error(
      [&] {
        odeint(f, y0, {0, 1}, {.gradient = ode::Discrete{.checkpoints = 1}});
      },
      "checkpoints: expected a number");
}

// Also one whose derivative does not show it: it would look right.
TEST(OdeintGradient, RefusesAMapThatHasBecomeNan) {
  for (const bool reversible : {false, true}) {
    bool broken = false;
    const auto f = [&](const Tensor& y) { return broken ? -y + std::nan("") : -y; };
    const Tensor y0 = torch::ones({2, 1}, torch::dtype(torch::kDouble).requires_grad(true));
    OdeintOptions options;
    if (reversible) {
      options.method = ode::ReversibleHeun{};
      options.gradient = ode::Reversible{};
    }
    const Tensor y = odeint(f, y0, {0, 1}, options).value;
    broken = true;
    EXPECT_THROW(y.sum().backward(), c10::Error) << reversible;
  }
}

TEST(OdeintGradient, RefusesATensorThatOnlyLaterStepsRead) {
  const Tensor late = leaf(1);
  const auto f = [late](const Tensor& t, const Tensor& y) { return t.item<double>() > .5 ? late * y : -y; };
  const Tensor y0 = torch::ones({2, 1}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor y = odeint(f, y0, {0, 1}).value;
  expect_error([&] { y.sum().backward(); }, "f: expected it to read the same tensors");
  const Tensor all = odeint(f, y0, {0, 1}, {.gradient = ode::Unrolled{}}).value;
  EXPECT_GT(std::abs(number(gradients(all.select(1, 1), {late})[0])), .1);
}

TEST(OdeintGradient, NoticesThatFHasChanged) {
  Tensor factor = torch::ones({1}, torch::kDouble);
  const auto f = [&factor](const Tensor& y) { return -factor * y; };
  const Tensor y0 = torch::ones({2, 1}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor y = odeint(f, y0, {0, 1}).value;
  factor = 2 * factor;
  expect_error([&] { y.sum().backward(); }, "f: expected the same value");
}

TEST(OdeintGradient, NoticesThatLaterSlopesHaveChanged) {
  double bend = 1;
  const auto f = [&bend](const Tensor& t, const Tensor& y) { return -y + bend * t; };
  const Tensor y0 = torch::ones({2, 1}, torch::dtype(torch::kDouble).requires_grad(true));
  const Tensor y = odeint(f, y0, {0, 1}).value;
  bend = 2;
  expect_error([&] { y.sum().backward(); }, "f: expected the same slopes");
}

TEST(OdeintGradient, NoticesThatAParameterWasEdited) {
  Tensor factor = leaf(1);
  const auto f = [factor](const Tensor& y) { return -factor * y; };
  const Tensor y = odeint(f, torch::ones({2, 1}, torch::kDouble), {0, 1}).value;
  {
    const torch::NoGradGuard no_grad;
    factor.mul_(2);
  }
  expect_error([&] { y.sum().backward(); }, "edited in place");
}

// i y' = H y with H = [[d, o], [o, -d]] / 2: the transition probability in (d, o, t).
TEST(OdeintGradient, OfComplexStates) {
  const Tensor d = leaf(.7);
  const Tensor o = leaf(1.9);
  const Tensor t = leaf(3);
  const auto f = [d, o](const Tensor& y) {
    const Tensor first = y.select(1, 0);
    const Tensor second = y.select(1, 1);
    return at::mul(torch::stack({d * first + o * second, o * first - d * second}, 1),
                   c10::complex<double>(0, -.5));
  };
  const Tensor y0 = torch::tensor({{1.0, 0.0}}, torch::kDouble).to(torch::kComplexDouble);
  const Tensor times = torch::cat({torch::zeros({1}, torch::kDouble), t});
  const Tensor y = odeint(f, y0, times, tight_odeint()).value.select(1, 1).select(1, 1);
  const Tensor p = at::real(y * y.conj());
  EXPECT_NEAR(number(p), .009548098272107232, 1e-10);
  const auto g = gradients(p, {d, o, t});
  const double first[] = {-.09783608883999207, -.2555044685198656, -.1846479174585797};
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(number(g[i]), first[i], 1e-9);
  const double second[3][3] = {{.4064567390313766, 1.379618789668601, .9359864429507713},
                               {1.379618789668601, 3.330671853494568, 2.346168401962611},
                               {.9359864429507713, 2.346168401962611, 1.76585279708436}};
  for (int i = 0; i < 3; ++i) {
    const auto row = gradients(g[i], {d, o, t});
    for (int j = 0; j < 3; ++j) EXPECT_NEAR(number(row[j]), second[i][j], 1e-7) << i << j;
  }
}

}  // namespace
}  // namespace stillpoint::test
