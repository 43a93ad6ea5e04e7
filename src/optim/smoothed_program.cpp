#include "optim/smoothed_program.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "optim/projections/arguments.h"
#include "optim/qp/program_batch.h"

namespace stillpoint::detail {
namespace {

// A report for each sample of those of its draws.
optim::ProgramStats merged(const optim::ProgramStats& draws, std::int64_t batch, std::int64_t samples) {
  optim::ProgramStats stats = draws;
  stats.method = "perturbed " + draws.method;
  const auto largest = [&](const auto& numbers, auto& to) {
    to.resize(batch);
    for (std::int64_t i = 0; i < batch; ++i)
      to[i] = *std::max_element(numbers.begin() + i * samples, numbers.begin() + (i + 1) * samples);
  };
  largest(draws.status, stats.status);  // they rise from optimal to the worst
  largest(draws.primal_residual, stats.primal_residual);
  largest(draws.dual_residual, stats.dual_residual);
  largest(draws.gap, stats.gap);
  largest(draws.iterations, stats.iterations);
  const auto any = [&](const Mask& marks, Mask& to) {
    to = Mask(batch);
    for (std::int64_t i = 0; i < batch * samples; ++i) {
      if (marks[i]) to[i / samples] = true;
    }
  };
  any(draws.weakly_active, stats.weakly_active);
  any(draws.dual_not_unique, stats.dual_not_unique);
  any(draws.primal_not_unique, stats.primal_not_unique);
  return stats;
}

}  // namespace

optim::QuadraticProgram with_ridge(const optim::QuadraticProgram& program, const optim::Ridge& ridge) {
  const ProgramBatch batch(program);
  const at::Tensor like = at::empty({batch.size(), batch.unknowns()}, batch.options());
  const at::Tensor epsilon = positive_column("smoothing.epsilon", ridge.epsilon, like);
  at::Tensor added = epsilon.unsqueeze(2) * at::eye(batch.unknowns(), batch.options());
  if (epsilon.size(0) == 1) added = added.squeeze(0);
  optim::QuadraticProgram smooth = program;
  smooth.Q = program.Q.defined() ? program.Q + added : added;
  return smooth;
}

optim::ProgramSolution solve_perturbed(const optim::QuadraticProgram& program,
                                       const QuadraticProgramOptions& options) {
  const auto& perturbation = std::get<optim::Perturbed>(options.smoothing);
  const ProgramBatch batch(program);
  const std::int64_t samples = perturbation.samples;
  const std::int64_t n = batch.unknowns();
  TORCH_CHECK(samples >= 1, "smoothing.samples: expected ≥ 1, got ", samples);
  TORCH_CHECK(perturbation.sigma > 0.0, "smoothing.sigma: expected a number > 0, got ", perturbation.sigma);
  TORCH_CHECK(!options.warm_start, "warm_start: expected none with perturbations");
  const at::Tensor p = program.p.defined() ? program.p.expand({batch.size(), n})
                                           : at::zeros({batch.size(), n}, batch.options());
  const at::Tensor noise = at::randn({batch.size(), samples, n}, perturbation.generator, batch.options());
  // What each draw weighs at p, relative to where it was drawn: 1, with all derivatives of the density.
  const at::Tensor shift = ((p - p.detach()) / perturbation.sigma).unsqueeze(1);
  const at::Tensor weight = ((noise - shift / 2) * shift).sum(2, /*keepdim=*/true).exp();

  optim::QuadraticProgram draws = map_parts(program, [&](const at::Tensor& part, std::int64_t dims) {
    return part.dim() == dims ? part : part.repeat_interleave(samples, 0);
  });
  draws.p = (p.detach().unsqueeze(1) + perturbation.sigma * noise).flatten(0, 1);
  QuadraticProgramOptions plain = options;
  plain.smoothing = std::monostate();
  optim::ProgramSolution solution = quadratic_program(draws, plain);

  // What failed has no part in derivatives in p.
  const at::Tensor solved = solution.x.detach().isfinite().all(1).view({batch.size(), samples, 1});
  const at::Tensor solved_weight = at::where(solved, weight, weight.detach());
  const auto by_draw = [&](const at::Tensor& t) { return t.view({batch.size(), samples, t.size(1)}); };
  for (at::Tensor* t :
       {&solution.x, &solution.z, &solution.y, &solution.lower, &solution.upper, &solution.slack})
    *t = (solved_weight * by_draw(*t)).mean(1);
  // A proof holds for all draws, and a ray for those that fall along it.
  for (at::Tensor* t : {&solution.certificate.z, &solution.certificate.y, &solution.certificate.lower,
                        &solution.certificate.upper})
    *t = by_draw(*t).select(1, 0).clone();
  const at::Tensor ray = by_draw(solution.ray);
  if (n > 0) {
    const at::Tensor first = ray.abs().amax(2, /*keepdim=*/true).argmax(1, /*keepdim=*/true);
    solution.ray = ray.gather(1, first.expand({-1, 1, n})).squeeze(1);
  } else {
    solution.ray = ray.select(1, 0);
  }
  solution.stats = merged(solution.stats, batch.size(), samples);
  return solution;
}

}  // namespace stillpoint::detail
