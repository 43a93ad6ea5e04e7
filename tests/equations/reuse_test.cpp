// What the solver leaves for the backward pass, and what that makes of it.
#include <gtest/gtest.h>

#include "equations/candidates.h"
#include "equations/own_types.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/layer_check.h"
#include "support/problems.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;
using Inputs = std::vector<Tensor>;

Variant preconditioned(std::string name, FixedPointSolver solver,
                       LinearSolver linear = AutomaticLinearSolver{}) {
  const auto rule = [linear](const Tolerance& tolerance) -> GradientRule {
    return ImplicitGradient{.linear_solver = linear, .tolerance = tolerance, .reuse = Reuse::Preconditioner};
  };
  return {std::move(name), std::move(solver), rule, 0};
}

Variant warm_started(std::string name, LinearSolver linear) {
  const auto start = std::make_shared<AdjointStart>();
  const auto rule = [linear, start](const Tolerance& tolerance) -> GradientRule {
    return ImplicitGradient{.linear_solver = linear, .tolerance = tolerance, .warm_start = start};
  };
  return {std::move(name), Anderson{}, rule, 0};
}

// With what each solver leaves, and the automatic linear solver.
std::vector<Variant> of_each_inverse() {
  std::vector<Variant> variants;
  for (const SolverCandidate& each : inverse_candidates()) {
    variants.push_back(preconditioned(each.name, each.solver));
  }
  return variants;
}

TEST(Reuse, IsAsExactAsWithout) {
  auto variants = of_each_inverse();
  for (const Variant& more :
       {preconditioned("Newton, Gmres", Newton{}, Gmres{}),
        preconditioned("Broyden, Neumann", Broyden{}, Neumann{}),
        preconditioned("Broyden, BiCgStab", Broyden{}, BiCgStab{}),
        preconditioned("Chord, DenseLu", Chord{}, DenseLu{}), warm_started("warm", AutomaticLinearSolver{}),
        warm_started("warm Gmres", Gmres{})}) {
    variants.push_back(more);
  }
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        return solve([=](const Tensor& z) { return torch::tanh(torch::addmm(in[1], z, in[0]) + in[2]); },
                     torch::zeros_like(in[1]));
      },
      {shared(normal({3, 3}) * 0.2), per_sample(normal({2, 3})), shared(normal({3}))},
      {.variants = variants, .orders = 3});
}

TEST(Reuse, OfATupleStateIsAsExactAsWithout) {
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        const TupleMap f = [=](const std::vector<Tensor>& z) {
          return std::vector<Tensor>{torch::tanh(z[0].matmul(in[0]) + z[1].sum(1, true) * 0.1),
                                     0.4 * torch::sin(z[1] + z[0].narrow(1, 0, 2)) * in[1]};
        };
        const auto state =
            solve(f, {zeros({in[1].size(0), 3}, in[1].scalar_type()), torch::zeros_like(in[1])});
        return torch::cat(state, 1);
      },
      {shared(normal({3, 3}) * 0.2), per_sample(normal({2, 2}))}, {.variants = of_each_inverse()});
}

// A few directions are slow, by different rates, and the others fast.
Tensor slow_matrix() {
  const Tensor basis = std::get<0>(torch::linalg_qr(normal({40, 40})));
  Tensor rates = torch::linspace(-0.2, 0.2, 40, options());
  rates.narrow(0, 0, 4).copy_(vector({0.85, -0.8, 0.7, 0.6}));
  return (basis * rates).matmul(basis.t());
}

struct Slow {
  Tensor a = slow_matrix();
  Tensor x = normal({3, 40}).requires_grad_();
  Tensor g = normal({3, 40});
  Map f = [this](const Tensor& z) { return z.matmul(a) + 0.1 * torch::sin(z) + x; };
  Map residual = [this](const Tensor& z) { return f(z) - z; };

  struct Result {
    Tensor gradient;
    Stats backward;
  };
  Result with(const FixedPointSolver& solver, const ImplicitGradient& rule,
              OnFailure on_failure = OnFailure::Throw, double tolerance = 1e-10) const {
    const auto [value, stats] = fixed_point(f, zeros({3, 40}),
                                            {.solver = solver,
                                             .gradient = rule,
                                             .tolerance = {.relative = tolerance},
                                             .max_iterations = 1000,
                                             .on_failure = on_failure});
    const Tensor gradient = grad({value}, {x}, {g})[0];
    return {gradient, *stats.backward};
  }
};

TEST(Reuse, TakesFewerProducts) {
  const Slow problem;
  for (const LinearSolver& linear :
       {LinearSolver(AutomaticLinearSolver{}), LinearSolver(Gmres{.restart = 60})}) {
    const auto plain = problem.with(Newton{}, {.linear_solver = linear});
    for (const FixedPointSolver& solver : std::vector<FixedPointSolver>{
             Newton{}, Chord{}, Broyden{.memory = 200}, Broyden{.start = BroydenStart::Jacobian}}) {
      const auto reused = problem.with(solver, {.linear_solver = linear, .reuse = Reuse::Preconditioner});
      EXPECT_TRUE(reused.backward.converged());
      EXPECT_TRUE(close(reused.gradient, plain.gradient, 1e-7)) << solver.name();
      EXPECT_LT(reused.backward.jacobian_products, plain.backward.jacobian_products) << solver.name();
    }
  }
  EXPECT_LE(problem.with(Newton{}, {.reuse = Reuse::Preconditioner}).backward.jacobian_products, 4);
}

TEST(Reuse, InARootTakesFewerProducts) {
  const Slow problem;
  const auto solve = [&](const RootSolver& solver, Reuse reuse) {
    const auto [value, stats] = root(
        problem.residual, zeros({3, 40}),
        {.solver = solver, .gradient = ImplicitGradient{.reuse = reuse}, .on_failure = OnFailure::Throw});
    const Tensor gradient = grad({value}, {problem.x}, {problem.g})[0];
    return Slow::Result{gradient, *stats.backward};
  };
  for (const RootSolver& solver : std::vector<RootSolver>{Newton{}, Chord{}, Broyden{}}) {
    const auto plain = solve(solver, Reuse::None), reused = solve(solver, Reuse::Preconditioner);
    EXPECT_TRUE(close(reused.gradient, plain.gradient, 1e-7)) << solver.name();
    EXPECT_LT(2 * reused.backward.jacobian_products, plain.backward.jacobian_products) << solver.name();
  }
}

double relative_error(const Tensor& actual, const Tensor& exact) {
  return ((actual - exact).norm() / exact.norm()).item<double>();
}

TEST(Reuse, ApproximationIsAsGoodAsTheInverseLeftAndSaysSo) {
  const Slow problem;
  const Tensor exact = problem.with(Newton{}, {}).gradient;
  const double jacobian_free = relative_error(problem.g, exact);  // of one phantom step: u = g
  const WarningRecorder warnings;
  double before = jacobian_free;
  for (const double tolerance : {1e-3, 1e-6, 1e-9}) {
    const auto shine = problem.with(Newton{}, {.reuse = Reuse::Approximation}, OnFailure::Throw, tolerance);
    const double error = relative_error(shine.gradient, exact);
    EXPECT_LT(error, before) << tolerance;
    EXPECT_EQ(shine.backward.jacobian_products, 1);
    EXPECT_EQ(shine.backward.count(Status::Inaccurate), 3) << shine.backward.full();
    before = error;
  }
  for (const FixedPointSolver& solver :
       std::vector<FixedPointSolver>{Chord{}, Broyden{.start = BroydenStart::Jacobian}}) {
    const auto shine = problem.with(solver, {.reuse = Reuse::Approximation});
    EXPECT_LT(relative_error(shine.gradient, exact), 0.5 * jacobian_free) << solver.name();
  }
  EXPECT_TRUE(warnings.messages().empty());
}

// In one dimension Broyden's method is the secant method, whose slope tends to the derivative.
TEST(Reuse, ApproximationByBroydenTendsToTheExactInOneDimension) {
  const Tensor x = normal({4, 1}).requires_grad_();
  const Map f = [&](const Tensor& z) { return 0.9 * torch::sin(z) + x; };
  const auto gradient = [&](const FixedPointSolver& solver, const ImplicitGradient& rule, double tolerance) {
    const Tensor z = fixed_point(f, zeros({4, 1}),
                                 {.solver = solver, .gradient = rule, .tolerance = {.relative = tolerance}})
                         .value;
    return grad({z.sum()}, {x})[0];
  };
  const Tensor exact = gradient(Newton{}, {}, 1e-13);
  double before = relative_error(torch::ones({4, 1}, options()), exact);
  for (const double tolerance : {1e-2, 1e-4, 1e-8}) {
    const double error =
        relative_error(gradient(Broyden{}, {.reuse = Reuse::Approximation}, tolerance), exact);
    EXPECT_LT(error, before) << tolerance;
    before = error;
  }
  EXPECT_LT(before, 1e-3);
}

TEST(Reuse, ApproximationReportsATrueResidual) {
  const Slow problem;
  const auto shine = problem.with(Broyden{}, {.reuse = Reuse::Approximation}, OnFailure::Throw, 1e-12);
  const Tensor z = fixed_point(problem.f, zeros({3, 40}), {.solver = Newton{}}).value.detach();
  const Tensor& u = shine.gradient;  // x enters f as a sum, so this is the adjoint
  const Tensor residual = problem.g + u.matmul(problem.a.t()) + u * 0.1 * z.cos() - u;
  for (std::int64_t b = 0; b < 3; ++b) {
    EXPECT_NEAR(shine.backward.residual[b], residual[b].norm().item<double>(), 1e-8);
  }
}

TEST(Reuse, ApproximationIsExactUnderCreateGraph) {
  const Slow problem;
  const auto second = [&](const ImplicitGradient& rule) {
    const Tensor z = fixed_point(problem.f, zeros({3, 40}), {.solver = Broyden{}, .gradient = rule}).value;
    const Tensor first = grad({z.sin().sum()}, {problem.x}, {}, true, true)[0];
    return std::pair{first, grad({first.square().sum()}, {problem.x})[0]};
  };
  const auto exact = second({}), approximate = second({.reuse = Reuse::Approximation});
  EXPECT_TRUE(close(approximate.first, exact.first, 1e-7));
  EXPECT_TRUE(close(approximate.second, exact.second, 1e-7));
}

// Samples that finish long before the others, for a memory that is dropped meanwhile.
TEST(Reuse, LeavesEachSampleTheInverseThatItEndedWith) {
  const Tensor rate = vector({0.05, 0.9, 0.0, 0.5}).unsqueeze(1),
               a = affine_matrix(12, 1.0, false).to(options());
  const Tensor x = normal({4, 12}), z0 = zeros({4, 12}), g = normal({4, 12});
  const auto gradient = [&](const FixedPointSolver& solver, const std::vector<std::int64_t>& samples) {
    const Tensor index = torch::tensor(samples, torch::TensorOptions(torch::kLong).device(device()));
    const Tensor own_rate = rate.index_select(0, index);
    const Tensor own_x = x.index_select(0, index).requires_grad_();
    const Tensor z =
        fixed_point([&](const Tensor& y) { return own_rate * torch::sin(y.matmul(a)) + own_x; },
                    z0.index_select(0, index),
                    {.solver = solver, .gradient = ImplicitGradient{.reuse = Reuse::Approximation}})
            .value;
    return grad({z}, {own_x}, {g.index_select(0, index)})[0];
  };
  auto candidates = inverse_candidates();
  candidates.push_back({"BroydenLong", Broyden{.memory = 60}, {}, {}});
  for (const SolverCandidate& candidate : candidates) {
    const Tensor together = gradient(candidate.solver, {0, 1, 2, 3});
    for (std::int64_t b = 0; b < 4; ++b) {
      const Tensor alone = gradient(candidate.solver, {b});
      EXPECT_TRUE(close(together[b], alone[0], 1e-6)) << candidate.name << ", sample " << b;
    }
  }
}

TEST(Reuse, KeepsNanInItsSample) {
  const Tensor input = normal({4, 3}), w = normal({3, 3}) * 0.15;
  const auto gradient = [&](const FixedPointSolver& solver, Reuse reuse, bool poisoned) {
    Tensor x = input.clone();
    if (poisoned) x[2][1] = NAN;
    x.requires_grad_();
    const Tensor z =
        fixed_point(
            [&](const Tensor& y) { return torch::tanh(y.matmul(w) + x); }, zeros({4, 3}),
            {.solver = solver, .gradient = ImplicitGradient{.reuse = reuse}, .on_failure = OnFailure::Ignore})
            .value;
    return grad({z.pow(2).sum()}, {x})[0];
  };
  for (const SolverCandidate& candidate : inverse_candidates()) {
    for (const Reuse reuse : {Reuse::Preconditioner, Reuse::Approximation}) {
      const Tensor good = gradient(candidate.solver, reuse, false);
      const Tensor bad = gradient(candidate.solver, reuse, true);
      for (const std::int64_t b : {0, 1, 3}) {
        EXPECT_TRUE(identical(bad[b], good[b])) << candidate.name << ", sample " << b;
      }
    }
  }
}

TEST(Reuse, ApproximationReportsWhatIsNotFinite) {
  Tensor x = normal({2, 3});
  x[1][0] = NAN;
  x.requires_grad_();
  const Map f = [&](const Tensor& z) { return torch::tanh(0.5 * z + x); };
  const auto [value, stats] = fixed_point(f, zeros({2, 3}),
                                          {.solver = Newton{},
                                           .gradient = ImplicitGradient{.reuse = Reuse::Approximation},
                                           .on_failure = OnFailure::Ignore});
  grad({value.sum()}, {x});
  EXPECT_EQ(stats.backward->status[1], Status::NonFinite);
}

TEST(Reuse, AtASolutionFromTheStart) {
  const Tensor x = zeros({2, 3}).requires_grad_();
  const Map f = [&](const Tensor& z) { return 0.5 * torch::sin(z) + x; };
  for (const SolverCandidate& candidate : inverse_candidates()) {
    const auto [value, stats] = fixed_point(
        f, zeros({2, 3}),
        {.solver = candidate.solver, .gradient = ImplicitGradient{.reuse = Reuse::Preconditioner}});
    EXPECT_EQ(stats.mean_iterations(), 0.0);
    EXPECT_TRUE(close(grad({value.sum()}, {x})[0], torch::full({2, 3}, 2.0, options()), 1e-9))
        << candidate.name;
  }
  const Tensor none = zeros({0, 3}).requires_grad_();
  for (const SolverCandidate& candidate : inverse_candidates()) {
    const Tensor z = fixed_point([&](const Tensor& y) { return 0.5 * y + none; }, zeros({0, 3}),
                                 {.solver = candidate.solver,
                                  .gradient = ImplicitGradient{.reuse = Reuse::Preconditioner}})
                         .value;
    grad({z.sum()}, {none});
  }
}

// Of samples that z0 solves, the inverse is that of their own Jacobian, also where finished samples are left
// out.
TEST(Reuse, ApproximationOfSamplesThatBeginSolved) {
  const Tensor x = normal({3, 4}).requires_grad_();
  const auto map = [](const Tensor& z, const std::vector<Tensor>& in) { return 0.8 * torch::sin(z) + in[0]; };
  const Tensor exact = fixed_point([&](const Tensor& z) { return map(z, {x}); }, zeros({3, 4}),
                                   {.solver = Newton{}, .tolerance = {.relative = 1e-14}})
                           .value;
  Tensor start = exact.detach().clone();
  start[2] = 0.0;
  const Tensor expected = grad({exact[0].sum()}, {x})[0];
  for (const FixedPointSolver& solver :
       std::vector<FixedPointSolver>{Newton{}, Chord{}, Broyden{.start = BroydenStart::Jacobian}}) {
    const FixedPointOptions how{.solver = solver,
                                .gradient = ImplicitGradient{.reuse = Reuse::Approximation},
                                .on_failure = OnFailure::Ignore};
    const Tensor z = fixed_point({map, {x}}, start, how).value;
    EXPECT_TRUE(close(grad({z[0].sum()}, {x})[0], expected, 1e-6)) << solver.name();
  }
}

// A user's solver that leaves what it knows, be it wrong.
struct Leaves {
  double inverse;
  void solve(const CheckedMap& f, const Tensor& z0, Monitor& monitor, Map* transposed_inverse) const {
    HalfSteps{}.solve(f, z0, monitor);
    if (transposed_inverse) *transposed_inverse = [h = inverse](const Tensor& u) { return h * u; };
  }
};

TEST(Reuse, OfAUsersSolverMayBeWrongAndStaysExact) {
  const Tensor x = normal({2, 3}).requires_grad_();
  const Map f = [&](const Tensor& z) { return 0.6 * torch::sin(z) + x; };
  const auto gradient = [&](const FixedPointSolver& solver, Reuse reuse) {
    const auto [value, stats] =
        fixed_point(f, zeros({2, 3}), {.solver = solver, .gradient = ImplicitGradient{.reuse = reuse}});
    const Tensor result = grad({value.sum()}, {x})[0];
    EXPECT_TRUE(stats.backward->converged()) << stats.backward->full();
    return result;
  };
  const Tensor exact = gradient(HalfSteps{}, Reuse::None);
  for (const double h : {1.6, 1.0, -3.0, 0.0, 1e8, static_cast<double>(NAN)}) {
    EXPECT_TRUE(close(gradient(Leaves{h}, Reuse::Preconditioner), exact, 1e-8)) << h;
  }
}

TEST(Reuse, NeedsASolverThatLeavesSomething) {
  const Tensor x = normal({2, 3}).requires_grad_();
  for (const SolverCandidate& candidate : inverse_candidates(/*leave=*/false)) {
    for (const Reuse reuse : {Reuse::Preconditioner, Reuse::Approximation}) {
      const std::string message = error_of([&] {
        fixed_point([&](const Tensor& z) { return 0.5 * z + x; }, zeros({2, 3}),
                    {.solver = candidate.solver, .gradient = ImplicitGradient{.reuse = reuse}});
      });
      EXPECT_NE(message.find("reuse"), std::string::npos) << message;
      EXPECT_NE(message.find(candidate.solver.name()), std::string::npos) << message;
    }
  }
  expect_error(
      [&] {
        fixed_point([&](const Tensor& z) { return 0.5 * z + x; }, zeros({2, 3}),
                    {.solver = Newton{},
                     .gradient = ImplicitGradient{.reuse = Reuse::Preconditioner,
                                                  .warm_start = std::make_shared<AdjointStart>()}});
      },
      "warm_start");
}

TEST(WarmStart, TakesFewerProductsAndFitsOrIsLeftOut) {
  const Tensor w = affine_matrix(40, 0.8, true).to(options()), x = normal({3, 40}).requires_grad_();
  const auto start = std::make_shared<AdjointStart>();
  const auto solve = [&](const Tensor& input, const std::shared_ptr<AdjointStart>& from) {
    const auto [value, stats] = fixed_point(
        [&](const Tensor& z) { return torch::tanh(0.7 * z.matmul(w.to(z.scalar_type())) + input); },
        torch::zeros_like(input), {.gradient = ImplicitGradient{.warm_start = from}});
    const Tensor gradient = grad({value.square().sum()}, {input})[0];
    return std::pair{gradient, *stats.backward};
  };
  const auto cold = solve(x, nullptr), first = solve(x, start);
  EXPECT_EQ(first.second.jacobian_products, cold.second.jacobian_products);
  EXPECT_TRUE(identical(first.first, cold.first));
  EXPECT_EQ(solve(x, start).second.jacobian_products, 1);
  const Tensor moved = (x.detach() + 1e-4).requires_grad_();
  const auto next = solve(moved, start), next_cold = solve(moved, nullptr);
  EXPECT_LT(next.second.jacobian_products, next_cold.second.jacobian_products);
  EXPECT_TRUE(close(next.first, next_cold.first, 1e-8));
  const Tensor fewer = x.detach().narrow(0, 0, 2).clone().requires_grad_();
  EXPECT_TRUE(identical(solve(fewer, start).first, solve(fewer, nullptr).first));
  const Tensor narrow = x.detach().to(torch::kFloat).requires_grad_();
  EXPECT_TRUE(identical(solve(narrow, start).first, solve(narrow, nullptr).first));
  EXPECT_EQ(start->adjoint.scalar_type(), torch::kFloat);
}

TEST(WarmStart, ForgetsTheSamplesThatFailed) {
  const auto start = std::make_shared<AdjointStart>();
  Tensor x = normal({2, 3}).requires_grad_();
  const auto gradient = [&](const Tensor& g) {
    const Tensor z =
        fixed_point([&](const Tensor& y) { return torch::tanh(0.5 * y + x); }, zeros({2, 3}),
                    {.gradient = ImplicitGradient{.warm_start = start}, .on_failure = OnFailure::Ignore})
            .value;
    return grad({z}, {x}, {g})[0];
  };
  Tensor bad = torch::ones({2, 3}, options());
  bad[1][1] = NAN;
  gradient(bad);
  EXPECT_TRUE(start->adjoint.isfinite().all().item<bool>());
  EXPECT_TRUE(gradient(torch::ones({2, 3}, options())).isfinite().all().item<bool>());
}

}  // namespace
}  // namespace stillpoint::test
