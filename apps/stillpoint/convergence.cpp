#include "convergence.h"

#include <torch/types.h>

#include "stillpoint/root/newton.h"
#include "stillpoint/root/picard.h"

namespace stillpoint::app {
namespace {

Trace trace(Classifier model, const at::Tensor& x, const FixedPointSolver& solver) {
  Trace trace{.solver = solver.name(), .residual = {}};
  const auto recorded = [&](const at::Tensor& z) {
    const auto fz = model->cell()->forward(z, x);
    trace.residual.push_back((fz - z).detach().norm(2, 1).max().item<double>());
    return fz;
  };
  fixed_point(recorded, model->start(x),
              {.solver = solver,
               .tolerance = {.relative = 0.0, .absolute = 1e-9},
               .max_iterations = 200,
               .on_failure = OnFailure::Ignore});
  return trace;
}

}  // namespace

std::vector<Trace> trace_solvers(const Classifier& model, const at::Tensor& images) {
  torch::NoGradGuard no_grad;
  auto precise = copy_weights(model, {});
  precise->to(torch::kDouble);
  const auto x = precise->encode(images.to(torch::kDouble));
  return {trace(precise, x, Picard{}), trace(precise, x, Anderson{}), trace(precise, x, Newton{})};
}

}  // namespace stillpoint::app
