#include "linear/candidates.h"

namespace stillpoint::test {
namespace {

constexpr std::int64_t kEnough = 5000;

template <class Solver>
LinearCandidate iterative(std::string name, Solver solver,
                          LinearCandidate::Needs needs = LinearCandidate::Needs::Nothing) {
  const auto limited = [solver](std::int64_t allowed) -> LinearSolver {
    Solver with_limit = solver;
    with_limit.max_iterations = allowed;
    return with_limit;
  };
  return {std::move(name), limited(kEnough), needs, limited};
}

}  // namespace

Solution<Tensor> ByLibTorch::solve(const LinearOperator& a, const Tensor& b, const Tensor& /*x0*/,
                                   const ResolvedTolerance& tolerance) const {
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
    const double allowed = tolerance.allowed(scale[i].item<double>());
    stats.status.push_back(stats.residual[i] <= allowed ? Status::Converged : Status::Inaccurate);
    stats.iterations.push_back(1);
  }
  return solution;
}

bool LinearCandidate::solves(const System& system) const {
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

void PrintTo(const LinearCandidate& candidate, std::ostream* stream) { *stream << candidate.name; }

// A new linear solver enters here, and nowhere else.
std::vector<LinearCandidate> linear_candidates() {
  using Needs = LinearCandidate::Needs;
  return {iterative("Cg", Cg{}, Needs::Definite),
          iterative("Neumann", Neumann{}, Needs::Contraction),
          iterative("BiCgStab", BiCgStab{}),
          iterative("Gmres", Gmres{}),
          iterative("GmresRestarted", Gmres{.restart = 6}),
          iterative("GmresOfOne", Gmres{.restart = 1}, Needs::Definite),
          {.name = "DenseLu", .solver = DenseLu{}, .goes_on_from_start = false},
          {.name = "Automatic", .solver = AutomaticLinearSolver{}, .samples_apart = false},
          {.name = "AutomaticDense", .solver = AutomaticLinearSolver{.patience = 0}, .samples_apart = false},
          {.name = "AutomaticKrylov",
           .solver = AutomaticLinearSolver{.patience = 3, .dense_width = 0},
           .samples_apart = false},
          {.name = "UsersOwn", .solver = ByLibTorch{}, .goes_on_from_start = false, .of_the_library = false}};
}

std::vector<LinearCandidate> general_linear_candidates() {
  auto candidates = linear_candidates();
  std::erase_if(candidates, [](const auto& each) { return each.needs == LinearCandidate::Needs::Definite; });
  return candidates;
}

}  // namespace stillpoint::test
