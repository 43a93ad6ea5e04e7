#include "stillpoint/equations/gradients/unrolled_gradient.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <memory>

#include "core/rows/rows.h"
#include "stillpoint/autograd/recompute.h"
#include "stillpoint/equations/solvers/picard.h"

namespace stillpoint {
namespace {

const Picard& picard_of(const FixedPointProblem& problem, const char* rule) {
  const Picard* picard = problem.solver.target<Picard>();
  TORCH_CHECK(picard != nullptr, "gradient: ", rule,
              " differentiates the iteration of Picard, but the solver is ", problem.solver.name(),
              "; use Picard, or ImplicitGradient with any solver");
  TORCH_CHECK(picard->damping > 0.0 && picard->damping <= 1.0,
              "Picard.damping: expected a number in (0, 1], got ", picard->damping);
  return *picard;
}

/// One damped step, recorded, for the samples that are running; the others stay where they are.
at::Tensor step(const at::Tensor& z, const at::Tensor& fz, double damping, const Mask& running,
                bool all_running) {
  const at::Tensor next = damping == 1.0 ? fz : z + damping * (fz - z);
  return all_running ? next : detail::select_rows(running, next, z);
}

/// Which samples took each step of a segment, so that the segment can be computed again without a monitor.
struct Trail {
  std::vector<Mask> running;
  bool complete = false;
};

}  // namespace

at::Tensor UnrolledGradient::differentiate(FixedPointProblem& problem) const {
  const Picard& picard = picard_of(problem, "UnrolledGradient");
  Monitor& monitor = problem.monitor;
  at::Tensor z = problem.z0;
  while (true) {
    const at::Tensor fz = problem.f(z);
    if (!monitor.update(z.detach(), fz)) break;
    z = step(z, fz, picard.damping, monitor.running(), monitor.all_running());
  }
  monitor.settle_for_latest();
  problem.reopen(z.detach());
  return z;
}

at::Tensor CheckpointedGradient::differentiate(FixedPointProblem& problem) const {
  const Picard& picard = picard_of(problem, "CheckpointedGradient");
  TORCH_CHECK(every >= 1, "CheckpointedGradient.every: expected ≥ 1, got ", every);
  Monitor& monitor = problem.monitor;
  bool unfinished = true;
  at::Tensor z = problem.z0;
  const double damping = picard.damping;
  while (unfinished) {
    const auto trail = std::make_shared<Trail>();
    // Runs once now, with the monitor, and again in the backward pass, along the trail.
    const auto first_run = [&](const at::Tensor& start) {
      at::Tensor x = start;
      while (unfinished && static_cast<std::int64_t>(trail->running.size()) < every) {
        const at::Tensor fx = problem.f(x);
        unfinished = monitor.update(x.detach(), fx);
        if (!unfinished) break;
        x = step(x, fx, damping, monitor.running(), monitor.all_running());
        trail->running.push_back(monitor.running());
      }
      trail->complete = true;
      return x;
    };
    const Map segment = [trail, damping, f = problem.f.checked(),
                         first = Map(first_run)](const at::Tensor& start) {
      if (!trail->complete) return first(start);
      at::Tensor x = start;
      for (const auto& running : trail->running) x = step(x, f(x), damping, running, running.all());
      return x;
    };
    z = recompute(segment, z);
  }
  monitor.settle_for_latest();
  problem.reopen(z.detach());
  return z;
}

}  // namespace stillpoint
