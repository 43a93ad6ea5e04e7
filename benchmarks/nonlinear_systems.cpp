// Every root solver on the systems of Moré, Garbow and Hillstrom, from their standard starts and from 10 and
// 100 times those, as a Markdown table.
//   OPENBLAS_NUM_THREADS=1 build/benchmarks/stillpoint_nonlinear_systems

#include "support/more_garbow_hillstrom.h"

#include <torch/torch.h>

#include <cstdio>
#include <string>
#include <vector>

#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using sp::test::NonlinearSystem;

namespace {

/// As in MINPACK, a start of zeros becomes one of all `factor`.
torch::Tensor start_of(const NonlinearSystem& system, double factor) {
  if (factor != 1.0 && system.start.abs().max().item<double>() == 0.0) {
    return torch::full_like(system.start, factor);
  }
  return factor * system.start;
}

/// By the linear model no root is nearer: ‖g‖² / ‖Jᵀg‖.
double distance_at_least(const NonlinearSystem& system, const torch::Tensor& z) {
  const torch::AutoGradMode on(true);
  const torch::Tensor at_z = z.detach().requires_grad_();
  const torch::Tensor g = system.residual(at_z);
  const double size = g.norm().item<double>();
  if (size == 0.0) return 0.0;
  return size / torch::autograd::grad({g}, {at_z}, {g.detach() / size})[0].norm().item<double>();
}

/// "evaluations + Jacobian products" of a solve that converged, else how it ended.
std::string cell(const NonlinearSystem& system, double factor, const sp::RootSolver& solver) {
  const torch::NoGradGuard no_grad;
  const auto [value, stats] =
      sp::root(system.residual, start_of(system, factor),
               {.solver = solver, .max_iterations = 1000, .on_failure = sp::OnFailure::Ignore});
  if (!stats.converged()) {
    return sp::to_string(stats.status[0]);
  }
  const double allowed = 1e-12 + 1e-10 * value.norm().item<double>();
  TORCH_CHECK(distance_at_least(system, value) <= allowed * (1 + 1e-9), system.name, ": a false solution by ",
              solver.name());
  return std::to_string(stats.evaluations) + " + " + std::to_string(stats.jacobian_products);
}

}  // namespace

int main() {
  torch::set_num_threads(1);
  const std::vector<sp::RootSolver> solvers{sp::Newton{}, sp::Dogleg{},       sp::Broyden{},
                                            sp::Chord{},  sp::NewtonKrylov{}, sp::PseudoTransient{}};
  std::string head = "| System | Start |";
  std::string rule = "|---|---|";
  for (const auto& solver : solvers) {
    head += " " + solver.name() + " |";
    rule += "---|";
  }
  std::printf("%s\n%s\n", head.c_str(), rule.c_str());
  std::vector<int> solved(solvers.size());
  int rows = 0;
  for (const NonlinearSystem& system : sp::test::more_garbow_hillstrom()) {
    for (const double factor : {1.0, 10.0, 100.0}) {
      std::printf("| %s | %g |", system.name.c_str(), factor);
      ++rows;
      for (std::size_t i = 0; i < solvers.size(); ++i) {
        const std::string text = cell(system, factor, solvers[i]);
        solved[i] += text.find('+') != std::string::npos ? 1 : 0;
        std::printf(" %s |", text.c_str());
      }
      std::printf("\n");
      std::fflush(stdout);
    }
  }
  std::printf("| **solved** | of %d |", rows);
  for (const int count : solved) {
    std::printf(" %d |", count);
  }
  std::printf("\n");
}
