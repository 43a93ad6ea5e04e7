#include "support/variants.h"

#include "linear/candidates.h"

namespace stillpoint::test {
namespace {

Tolerance tight(torch::Dtype dtype) {
  if (dtype == torch::kFloat) return {.relative = 2e-6, .absolute = 1e-6};
  return {.relative = 2e-14, .absolute = 1e-13};
}

}  // namespace

FixedPointOptions Variant::options(torch::Dtype dtype) const {
  if (steps > 0) {
    return {.solver = solver,
            .gradient = gradient({}),
            .tolerance = {.relative = 0.0, .absolute = 0.0},
            .max_iterations = steps,
            .on_failure = OnFailure::Ignore};
  }
  const Tolerance linear = {.relative = dtype == torch::kFloat ? 2e-6 : 1e-13, .absolute = 0.0};
  return {.solver = solver,
          .gradient = gradient(linear),
          .tolerance = tight(dtype),
          .max_iterations = 1000,
          .on_failure = OnFailure::Throw};
}

Variant implicit_variant(std::string name, FixedPointSolver solver, LinearSolver linear) {
  const auto rule = [linear](const Tolerance& tolerance) -> GradientRule {
    return ImplicitGradient{.linear_solver = linear, .tolerance = tolerance, .transposed_jacobian = {}};
  };
  return {std::move(name), std::move(solver), rule, 0};
}

Variant loop_variant(std::string name, FixedPointSolver solver, GradientRule rule) {
  return {std::move(name), std::move(solver), [rule](const Tolerance&) { return rule; }, 100};
}

std::vector<Variant> exact_variants() {
  return {implicit_variant("Picard, implicit", Picard{}),
          implicit_variant("Anderson, implicit", Anderson{}),
          implicit_variant("Newton, implicit", Newton{}),
          implicit_variant("Broyden, implicit", Broyden{}),
          implicit_variant("Newton-Krylov, implicit", NewtonKrylov{}),
          implicit_variant("dogleg, implicit", Dogleg{}),
          loop_variant("Picard, unrolled", Picard{}, UnrolledGradient{}),
          loop_variant("Picard, checkpointed", Picard{}, CheckpointedGradient{.every = 4}),
          loop_variant("Reversible, unrolled", Reversible{}, UnrolledGradient{}),
          loop_variant("Reversible, checkpointed", Reversible{}, CheckpointedGradient{.every = 4}),
          loop_variant("Reversible", Reversible{}, ReversibleGradient{.checkpoint_every = 4})};
}

std::vector<Variant> linear_solver_variants() {
  // The restart of the candidates comes after more steps than the systems of a layer need.
  std::vector<Variant> variants{implicit_variant("Gmres, restarted", Anderson{}, Gmres{.restart = 3})};
  for (const LinearCandidate& each : general_linear_candidates()) {
    variants.push_back(implicit_variant(each.name, Anderson{}, each.solver));
  }
  return variants;
}

Solve Solve::by_loop(int steps) {
  Solve solve;
  solve.steps_ = steps;
  return solve;
}

Solve Solve::by(FixedPointOptions options) {
  Solve solve;
  solve.options_ = std::move(options);
  return solve;
}

Tensor Solve::operator()(const Map& f, const Tensor& z0) const {
  if (options_) return fixed_point(f, z0, *options_).value;
  Tensor z = z0;
  for (int i = 0; i < steps_; ++i) {
    const Tensor next = f(z);
    TORCH_CHECK(next.sizes() == z.sizes(), "the loop's map changed shape");
    z = next;
  }
  return z;
}

Tensor Solve::operator()(const MonotoneMap& f, const Tensor& z0) const {
  if (options_) return fixed_point(f, z0, *options_).value;
  return (*this)([&](const Tensor& z) { return f.activation(f.affine(z)); }, z0);
}

std::vector<Tensor> Solve::operator()(const TupleMap& f, const std::vector<Tensor>& z0) const {
  if (options_) return fixed_point(f, z0, *options_).value;
  std::vector<Tensor> z = z0;
  for (int i = 0; i < steps_; ++i) z = f(z);
  return z;
}

}  // namespace stillpoint::test
