#include "stillpoint/equations/gradients/unrolled_gradient.h"

#include <c10/util/Exception.h>

namespace stillpoint {
namespace {

void check_steps(const Problem& problem, const char* rule) {
  TORCH_CHECK(
      problem.next != nullptr, "gradient: ", rule,
      " records the steps of a solver that offers them (Picard, Reversible; to minimize, GradientDescent, "
      "Newton), but the solver is ",
      problem.solver.name(), "; use one of those, or ImplicitGradient with any solver");
}

at::Tensor settled(const Problem& problem, const State& end) {
  at::Tensor z = end[0].to(problem.z0.scalar_type());
  problem.settle(z.detach());
  return z;
}

}  // namespace

at::Tensor UnrolledGradient::differentiate(Problem& problem) const {
  check_steps(problem, "UnrolledGradient");
  return settled(problem, unroll(problem.start(), problem.next));
}

at::Tensor CheckpointedGradient::differentiate(Problem& problem) const {
  check_steps(problem, "CheckpointedGradient");
  TORCH_CHECK(every >= 1, "CheckpointedGradient.every: expected ≥ 1, got ", every);
  return settled(problem, unroll_checkpointed(problem.start(), problem.next, every));
}

}  // namespace stillpoint
