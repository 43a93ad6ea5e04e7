#include "penalized_fit.h"

#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include <utility>

#include "stillpoint/linear/solvers/cg.h"
#include "stillpoint/linear/solvers/dense_lu.h"
#include "stillpoint/optim/minimize.h"
#include "stillpoint/optim/minimizers/newton.h"
#include "stillpoint/optim/minimizers/newton_cg.h"

namespace stillpoint::app {
namespace {

// `adjoint` solves for the derivatives.
MinimizeOptions strictly_convex(Minimizer solver, LinearSolver adjoint) {
  return {.solver = std::move(solver),
          .structure = Structure::PositiveDefinite,
          .gradient = ImplicitGradient{.linear_solver = std::move(adjoint)},
          .on_failure = OnFailure::Throw};
}

// The objectives capture by value: a second derivative evaluates them again. The columns of W do not know of
// each other: a sample of a batch each.
at::Tensor ridge(const at::Tensor& x, const at::Tensor& targets, const at::Tensor& penalties,
                 const at::Tensor& start) {
  const auto objective = [=](const at::Tensor& columns) {  // [C, F]
    const auto errors = columns.matmul(x.t()) - targets.t();
    return 0.5 * (errors.square().sum(1) + (penalties * columns.square()).sum(1));
  };
  return minimize(objective, start.t().contiguous(), strictly_convex(optim::Newton{}, DenseLu{})).value.t();
}

at::Tensor logistic(const at::Tensor& x, const at::Tensor& labels, const at::Tensor& penalties,
                    const at::Tensor& start) {
  const auto objective = [=](const at::Tensor& w) {  // [1, F, C]
    const auto losses = fit_losses(FitLoss::CrossEntropy, x.matmul(w[0]), labels);
    return losses.sum() + 0.5 * (penalties.unsqueeze(1) * w[0].square()).sum();
  };
  return minimize(objective, start.unsqueeze(0),
                  strictly_convex(optim::NewtonCg{}, Cg{.max_iterations = 5000}))
      .value[0];
}

}  // namespace

at::Tensor fit_losses(FitLoss loss, const at::Tensor& outputs, const at::Tensor& targets) {
  if (loss == FitLoss::Squares) {
    return 0.5 * (outputs - targets).square().sum(1);
  }
  return torch::nn::functional::cross_entropy(
      outputs, targets, torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone));
}

at::Tensor penalized_fit(FitLoss loss, const at::Tensor& x, const at::Tensor& targets,
                         const at::Tensor& penalties, const at::Tensor& start) {
  return loss == FitLoss::Squares ? ridge(x, targets, penalties, start)
                                  : logistic(x, targets, penalties, start);
}

}  // namespace stillpoint::app
