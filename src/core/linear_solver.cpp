#include "stillpoint/core/linear_solver.h"

namespace stillpoint {
namespace {

const char* advice(Status status) {
  switch (status) {
    case Status::MaxIterations:
      return "allow more iterations, loosen the tolerance, or choose a stronger linear solver (Gmres, "
             "DenseLu)";
    case Status::NonFinite:
      return "look for NaN or infinity in the right-hand side and in the products of these samples";
    case Status::Stalled:
      return "these matrices are close to singular or badly scaled: try Gmres with a larger restart, or "
             "DenseLu";
    case Status::TimeLimit:
      return "allow more time";
    case Status::Inaccurate:
      return "the system is close to singular, or its products do not belong to it: check them, or work in "
             "double";
    case Status::Unbounded:  // of objectives alone
    case Status::Converged:
      break;
  }
  return "";
}

}  // namespace

Solution<at::Tensor> LinearSolver::solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                         const ResolvedTolerance& tolerance) const {
  Solution<at::Tensor> solution = call(a, b, x0, tolerance);
  if (solution.stats.advice == nullptr) solution.stats.advice = &advice;
  return solution;
}

}  // namespace stillpoint
