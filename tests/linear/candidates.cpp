#include "linear/candidates.h"

namespace stillpoint::test {
namespace {

constexpr std::int64_t kEnough = 5000;

template <class Solver>
Candidate iterative(std::string name, Solver solver, Candidate::Needs needs = Candidate::Needs::Nothing) {
  const auto limited = [solver](std::int64_t allowed) -> LinearSolver {
    Solver with_limit = solver;
    with_limit.max_iterations = allowed;
    return with_limit;
  };
  return {std::move(name), limited(kEnough), needs, limited};
}

}  // namespace

Solution<Tensor> ByLibTorch::solve(const LinearOperator& a, const Tensor& b, const Tensor& /*x0*/,
                                   const Tolerance& tolerance) const {
  const std::int64_t batch = b.size(0), width = batch == 0 ? 0 : b.numel() / batch;
  Solution<Tensor> solution;
  solution.value = torch::zeros_like(b);
  if (b.numel() > 0) {
    solution.value = torch::linalg_solve(to_dense(a, b), b.reshape({batch, width, 1})).reshape(b.sizes());
  }
  const Tensor residual = norms_of(b - a.mv(solution.value)).cpu(), scale = norms_of(b).cpu();
  Stats& stats = solution.stats;
  stats.method = "ByLibTorch";
  stats.evaluations = b.numel() > 0 ? width + 1 : 1;
  for (std::int64_t i = 0; i < batch; ++i) {
    stats.residual.push_back(residual[i].item<double>());
    const double allowed = *tolerance.absolute + *tolerance.relative * scale[i].item<double>();
    stats.status.push_back(stats.residual[i] <= allowed ? Status::Converged : Status::Inaccurate);
    stats.iterations.push_back(1);
  }
  return solution;
}

bool Candidate::solves(const System& system) const {
  switch (needs) {
    case Needs::Definite:
      return system.definite;
    case Needs::Contraction:
      return system.contracts;
    case Needs::Nothing:
      break;
  }
  return true;
}

void PrintTo(const Candidate& candidate, std::ostream* stream) { *stream << candidate.name; }

std::vector<Candidate> candidates() {
  using Needs = Candidate::Needs;
  return {iterative("Cg", Cg{}, Needs::Definite),
          iterative("Neumann", Neumann{}, Needs::Contraction),
          iterative("BiCgStab", BiCgStab{}),
          iterative("Gmres", Gmres{}),
          iterative("GmresRestarted", Gmres{.restart = 6}),
          iterative("GmresOfOne", Gmres{.restart = 1}, Needs::Definite),
          {"DenseLu", DenseLu{}},
          {"Automatic", AutomaticLinearSolver{}},
          {"AutomaticDense", AutomaticLinearSolver{.patience = 0}},
          {"AutomaticKrylov", AutomaticLinearSolver{.patience = 3, .dense_width = 0}},
          {"UsersOwn", ByLibTorch{}}};
}

}  // namespace stillpoint::test
