// Misuse gives one clear error that names the argument; oddities that are allowed do what the documentation
// says.
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "equations/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

const Map kHalf = [](const Tensor& z) { return 0.5 * z; };

// On every solver, and with gradients on and off.
template <class Function>
void with_each_solver(Function&& check) {
  for (const SolverCandidate& candidate : solver_candidates()) {
    for (const bool gradients : {false, true}) {
      SCOPED_TRACE(candidate.name + (gradients ? ", gradients on" : ", gradients off"));
      const torch::AutoGradMode mode(gradients);
      check(FixedPointOptions{
          .solver = candidate.solver, .max_iterations = 50, .on_failure = OnFailure::Ignore});
    }
  }
}

TEST(BadStart, IsRefused) {
  with_each_solver([](const FixedPointOptions& options) {
    expect_error([&] { fixed_point(kHalf, Tensor(), options); }, "z0");
    expect_error([&] { fixed_point(kHalf, zeros({}), options); }, "z0");
    expect_error([&] { fixed_point(kHalf, torch::ones({2, 3}, at::kLong), options); }, "z0");
    expect_error([&] { fixed_point(kHalf, torch::ones({2, 3}, at::kBool), options); }, "z0");
    expect_error([&] { fixed_point(kHalf, torch::ones({2, 3}, at::kComplexDouble), options); }, "z0");
  });
}

TEST(BadStart, OfATupleIsRefused) {
  const TupleMap same = [](const std::vector<Tensor>& z) { return z; };
  expect_error([&] { fixed_point(same, std::vector<Tensor>{}); }, "state");
  expect_error([&] { fixed_point(same, std::vector<Tensor>{zeros({2, 3}), zeros({3, 3})}); }, "state[1]");
  expect_error(
      [&] {
        fixed_point(same, std::vector<Tensor>{zeros({2, 3}), zeros({2, 3}, at::kFloat)});
      },
      "state[1]");
  expect_error([&] { fixed_point(same, std::vector<Tensor>{torch::ones({2, 3}, at::kLong)}); }, "loating");
}

TEST(BadMap, ThatIsEmptyIsRefused) {
  expect_error([] { fixed_point(Map(), zeros({2, 3})); }, "f:");
  expect_error([] { fixed_point(TupleMap(), std::vector<Tensor>{zeros({2, 3})}); }, "f:");
}

TEST(BadMap, ThatChangesShapeDtypeOrDeviceIsRefused) {
  with_each_solver([](const FixedPointOptions& options) {
    const Tensor z0 = zeros({2, 3});
    const auto message = [&](const Map& f) { return error_of([&] { fixed_point(f, z0, options); }); };
    const auto says = [](const std::string& text, const std::string& part) {
      EXPECT_NE(text.find(part), std::string::npos) << part << " is missing from: " << text;
    };
    const std::string shape = message([](const Tensor& z) { return z.sum(1, true); });
    for (const char* part : {"f", "[2, 3]", "[2, 1]"}) says(shape, part);
    says(message([](const Tensor& z) { return z.unsqueeze(0); }), "[1, 2, 3]");
    says(message([](const Tensor& z) { return z.narrow(0, 0, 1); }), "[1, 3]");
    const std::string dtype = message([](const Tensor& z) { return z.to(at::kFloat); });
    for (const char* part : {"f", "ouble", "loat"}) says(dtype, part);
    says(message([](const Tensor& z) { return torch::empty_like(z, at::device(at::kMeta)); }), "meta");
    says(message([](const Tensor&) { return Tensor(); }), "f");
  });
}

TEST(BadMap, ThatReturnsAWrongTupleIsRefused) {
  const std::vector<Tensor> z0{zeros({2, 3}), zeros({2, 1})};
  expect_error(
      [&] { fixed_point([](const std::vector<Tensor>& z) { return std::vector<Tensor>{z[0]}; }, z0); }, "2");
  expect_error(
      [&] {
        fixed_point([](const std::vector<Tensor>& z) { return std::vector<Tensor>{z[0], z[0]}; }, z0);
      },
      "state[1]");
}

TEST(BadMap, ThatEditsItsArgumentIsRefused) {
  with_each_solver([](const FixedPointOptions& options) {
    expect_error(
        [&] {
          fixed_point([](const Tensor& z) { return z.mul_(0.5); }, torch::ones({2, 3}, test::options()),
                      options);
        },
        "in place");
    expect_error(
        [&] {
          fixed_point(
              [](const Tensor& z) {
                const torch::NoGradGuard off;
                z.add_(1.0);
                return z * 0.5;
              },
              torch::ones({2, 3}, test::options()), options);
        },
        "in place");
  });
}

struct Mine : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST(BadMap, ThatThrowsIsPassedThrough) {
  with_each_solver([](const FixedPointOptions& options) {
    for (const int after : {0, 1, 2}) {
      int calls = 0;
      const Map f = [&](const Tensor& z) {
        if (calls++ == after) throw Mine("at call " + std::to_string(after));
        return torch::cos(z);
      };
      EXPECT_THROW(fixed_point(f, zeros({2, 3}), options), Mine);
    }
  });
}

// What LibTorch says of a dtype is kept, and named are the map and the state.
TEST(BadMap, OfAnotherDtypeThanTheStateIsNamed) {
  const Tensor w = normal({3, 3}, at::kFloat);
  const Map f = [&](const Tensor& z) { return torch::tanh(z.matmul(w)); };
  const std::string original = error_of([&] { f(zeros({2, 3})); });
  const auto names = [&](const std::string& message, const std::string& map, const std::string& state) {
    EXPECT_EQ(message.find(original), 0) << message;
    for (const std::string& part :
         {"thrown by " + map + " at a tensor like " + state, std::string("[2, 3]"), std::string("Double")}) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " is missing from: " << message;
    }
  };
  with_each_solver([&](const FixedPointOptions& options) {
    names(error_of([&] { fixed_point(f, zeros({2, 3}), options); }), "f", "z0");
  });
  names(error_of([&] { root(f, zeros({2, 3})); }), "g", "z0");
  names(error_of([&] { linear_solve({.product = f}, zeros({2, 3})); }), "a.product", "b");
}

// A reference that dangles cannot be found out, but what goes wrong with it says what to look for.
TEST(BadMap, ThatFailsInTheBackwardPassIsToldOfReferences) {
  const Tensor x = normal({2, 3}).requires_grad_();
  for (const bool implicit_gradient : {true, false}) {
    bool gone = false;
    const Map f = [&](const Tensor& z) {
      TORCH_CHECK(!gone, "as LibTorch says it");
      return torch::tanh(0.5 * z + x);
    };
    FixedPointOptions options{.solver = Picard{}};
    if (!implicit_gradient) options.gradient = CheckpointedGradient{.every = 4};
    const Tensor z = fixed_point(f, zeros({2, 3}), options).value;
    gone = true;
    const std::string message =
        error_of([&] { torch::autograd::grad({z.sum()}, {x}, {}, true, /*create_graph=*/true); });
    for (const char* part : {"as LibTorch says it", "evaluated f again", "must still be alive"}) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " is missing from: " << message;
    }
  }
}

// The backward pass may evaluate f again, inside LibTorch's engine.
TEST(BadMap, ThatThrowsInTheBackwardPassIsPassedThrough) {
  const Tensor x = normal({2, 3}).requires_grad_();
  bool fail = false;
  const Map f = [&](const Tensor& z) {
    if (fail) throw Mine("late");
    return torch::tanh(0.5 * z + x);
  };
  const Tensor z = fixed_point(f, zeros({2, 3})).value;
  fail = true;
  EXPECT_THROW(torch::autograd::grad({z.sum()}, {x}, {}, true, true), std::exception);
  fail = false;
  EXPECT_NO_THROW(torch::autograd::grad({z.sum()}, {x}, {}, true, true));
}

TEST(OddMap, ThatIgnoresItsArgumentIsSolvedAtOnce) {
  const Tensor x = normal({2, 3}).requires_grad_();
  for (const SolverCandidate& candidate : solver_candidates()) {
    const auto [value, stats] =
        fixed_point([&](const Tensor&) { return x.sin(); }, zeros({2, 3}), {.solver = candidate.solver});
    const bool at_once = candidate.claims.in_one_step;
    EXPECT_TRUE(close(value, x.sin(), at_once ? 1e-15 : 1e-10)) << candidate.name;
    EXPECT_EQ(stats.mean_iterations() == 1.0, at_once) << candidate.name;
    EXPECT_TRUE(close(torch::autograd::grad({value.sum()}, {x})[0], x.detach().cos(), 1e-14));
  }
}

TEST(OddMap, ThatReturnsItsArgumentIsSolvedAlready) {
  const Tensor z0 = normal({2, 3});
  with_each_solver([&](const FixedPointOptions& options) {
    const auto [value, stats] = fixed_point([](const Tensor& z) { return z; }, z0, options);
    EXPECT_TRUE(identical(value, z0));
    EXPECT_TRUE(stats.converged());
    EXPECT_EQ(stats.mean_iterations(), 0.0);
  });
}

// Factorizations are not made for it and are done in float.
TEST(OddStart, InBfloat16IsSolvedAndDifferentiated) {
  const Tensor w = normal({4, 4}) * 0.4, x = normal({3, 4});
  const auto layer = [&](const Tensor& z) {
    return torch::tanh(-1.5 * z.matmul(w.to(z.scalar_type())) + x.to(z.scalar_type()));
  };
  const Tensor exact = fixed_point(layer, zeros({3, 4}), {.solver = Newton{}}).value;
  const auto solved = [&](const Tensor& value) {
    EXPECT_EQ(value.scalar_type(), at::kBFloat16);
    EXPECT_LT(max_difference(value.detach().to(at::kDouble), exact), 0.1);
  };
  for (const SolverCandidate& candidate : solver_candidates()) {
    if (candidate.claims.needs == SolverClaims::Needs::Contraction) continue;
    SCOPED_TRACE(candidate.name);
    const Tensor z0 = zeros({3, 4}, at::kBFloat16);
    solved(fixed_point(layer, z0, {.solver = candidate.solver, .on_failure = OnFailure::Ignore}).value);
    const Tensor w16 = w.to(at::kBFloat16).requires_grad_();
    const auto differentiable = [&](const Tensor& z) {
      return torch::tanh(-1.5 * z.matmul(w16) + x.to(at::kBFloat16));
    };
    for (const LinearSolver& linear : std::vector<LinearSolver>{AutomaticLinearSolver{}, DenseLu{}}) {
      const Tensor z = fixed_point(differentiable, z0,
                                   {.solver = candidate.solver,
                                    .gradient = ImplicitGradient{.linear_solver = linear},
                                    .on_failure = OnFailure::Ignore})
                           .value;
      const Tensor gradient = torch::autograd::grad({z.sum()}, {w16})[0];
      EXPECT_TRUE(gradient.isfinite().all().item<bool>());
    }
  }
}

TEST(OddMap, ThatIsRandomHasAStatusThatSaysSo) {
  with_each_solver([](const FixedPointOptions& options) {
    const auto stats = fixed_point([](const Tensor& z) { return torch::tanh(z + torch::randn_like(z)); },
                                   zeros({4, 8}), options)
                           .stats;
    EXPECT_EQ(stats.count(Status::MaxIterations), 4);
  });
}

TEST(OddMap, ThatIsNotFiniteAnywhereHasAStatusThatSaysSo) {
  with_each_solver([](const FixedPointOptions& options) {
    const auto [value, stats] = fixed_point([](const Tensor& z) { return z * NAN; }, zeros({2, 3}), options);
    EXPECT_EQ(stats.count(Status::NonFinite), 2);
    EXPECT_TRUE(identical(value, zeros({2, 3})));
  });
}

TEST(OddStart, MayRequireGradientsOrBeAnInferenceTensor) {
  const Tensor z0 = zeros({2, 3}).requires_grad_();
  const auto [value, stats] = fixed_point([](const Tensor& z) { return torch::cos(z); }, z0);
  EXPECT_FALSE(value.requires_grad());
  const c10::InferenceMode inference;
  const auto inside = fixed_point([](const Tensor& z) { return torch::cos(z); }, zeros({2, 3}));
  EXPECT_TRUE(identical(inside.value, value));
}

TEST(OddStart, ThatIsNotFiniteHasAStatusThatSaysSo) {
  with_each_solver([](const FixedPointOptions& options) {
    Tensor z0 = zeros({2, 3});
    z0[1][0] = NAN;
    const auto stats = fixed_point(kHalf, z0, options).stats;
    EXPECT_EQ(stats.status[0], Status::Converged);
    EXPECT_EQ(stats.status[1], Status::NonFinite);
  });
}

TEST(BadOption, OfFixedPoint) {
  const auto refuse = [](const FixedPointOptions& options, const std::string& name) {
    const Tensor x = normal({2, 3}).requires_grad_();
    expect_error(
        [&] {
          fixed_point([&](const Tensor& z) { return 0.5 * z + x; }, zeros({2, 3}), options);
        },
        name);
  };
  refuse({.max_iterations = -1}, "max_iterations");
  refuse({.tolerance = {.relative = -1e-3}}, "relative");
  refuse({.tolerance = {.absolute = NAN}}, "absolute");
  for (const double damping : {0.0, -0.5, 2.0, static_cast<double>(NAN)}) {
    refuse({.solver = Picard{.damping = damping}}, "Picard.damping");
    refuse({.solver = Picard{.damping = damping}, .gradient = UnrolledGradient{}}, "Picard.damping");
    refuse({.solver = Picard{.damping = damping}, .gradient = CheckpointedGradient{}}, "Picard.damping");
    refuse({.solver = Reversible{.mixing = damping}}, "Reversible.mixing");
    refuse({.gradient = PhantomGradient{.damping = damping}}, "PhantomGradient.damping");
    refuse({.solver = Anderson{.mixing = damping}}, "Anderson.mixing");
  }
  for (const std::int64_t memory : {0, -1, 33})
    refuse({.solver = Anderson{.memory = memory}}, "Anderson.memory");
  refuse({.solver = Anderson{.regularization = -1.0}}, "Anderson.regularization");
  refuse({.solver = Newton{.max_halvings = -1}}, "Newton.max_halvings");
  refuse({.solver = Broyden{.memory = 0}}, "Broyden.memory");
  refuse({.solver = Chord{.refresh_above = 1.0}}, "Chord.refresh_above");
  refuse({.solver = NewtonKrylov{.max_halvings = -1}}, "NewtonKrylov.max_halvings");
  refuse({.solver = NewtonKrylov{.max_forcing = 1.0}}, "NewtonKrylov.max_forcing");
  refuse({.solver = Dogleg{.first_radius = 0.0}}, "Dogleg.first_radius");
  refuse({.solver = Auto{.window = 0}}, "Auto.window");
  refuse({.solver = Auto{.dense_width = -1}}, "Auto.dense_width");
  refuse({.solver = PseudoTransient{.first_step = 0.0}}, "PseudoTransient.first_step");
  refuse({.gradient = PhantomGradient{.steps = 0}}, "PhantomGradient.steps");
  refuse({.solver = Picard{}, .gradient = CheckpointedGradient{.every = 0}}, "CheckpointedGradient.every");
  refuse({.solver = Reversible{}, .gradient = ReversibleGradient{.checkpoint_every = -1}},
         "ReversibleGradient.checkpoint_every");
  refuse({.solver = Reversible{}, .gradient = ReversibleGradient{.drift = {.relative = -1.0}}}, "relative");
}

TEST(BadOption, OfTheLinearSolverIsNamedInTheBackwardPassAtTheLatest) {
  const auto refuse = [](const LinearSolver& solver, const std::string& name) {
    const Tensor x = normal({2, 3}).requires_grad_();
    expect_error(
        [&] {
          const auto z = fixed_point([&](const Tensor& y) { return torch::tanh(0.5 * y + x); }, zeros({2, 3}),
                                     {.gradient = ImplicitGradient{.linear_solver = solver}})
                             .value;
          z.sum().backward();
        },
        name);
  };
  refuse(Gmres{.restart = 0}, "Gmres.restart");
  refuse(Gmres{.max_iterations = -1}, "Gmres.max_iterations");
  refuse(Neumann{.max_iterations = -1}, "Neumann.max_iterations");
  refuse(Cg{.max_iterations = -1}, "Cg.max_iterations");
  refuse(BiCgStab{.max_iterations = -1}, "BiCgStab.max_iterations");
  refuse(AutomaticLinearSolver{.patience = -1}, "AutomaticLinearSolver.patience");
  refuse(AutomaticLinearSolver{.dense_width = -1}, "AutomaticLinearSolver.dense_width");
}

TEST(BadOption, OfTheBackwardToleranceIsNamed) {
  const Tensor x = normal({2, 3}).requires_grad_();
  expect_error(
      [&] {
        const auto z =
            fixed_point([&](const Tensor& y) { return torch::tanh(0.5 * y + x); }, zeros({2, 3}),
                        {.gradient = ImplicitGradient{.tolerance = {.relative = -1.0, .absolute = 0.0}}})
                .value;
        z.sum().backward();
      },
      "relative");
}

}  // namespace
}  // namespace stillpoint::test
