#include "equations/candidates.h"

#include <functional>
#include <utility>

#include "equations/own_types.h"
#include "stillpoint/stillpoint.h"

namespace stillpoint::test {
namespace {

using Needs = SolverClaims::Needs;
using Exact = GradientCandidate::Exact;

template <class S>
SolverCandidate candidate(std::string name, S solver, SolverClaims claims = {}) {
  std::optional<RootSolver> of_roots;
  if constexpr (RootSolverType<S>) of_roots = solver;
  return {std::move(name), std::move(solver), std::move(of_roots), std::move(claims)};
}

// A new solver enters here, and nowhere else.
std::vector<SolverCandidate> all_candidates() {
  const SolverClaims contraction{.needs = Needs::Contraction}, monotone{.needs = Needs::MonotoneMap};
  const SolverClaims slow{.in_one_step = false}, inverse{.leaves_inverse = true, .by_matrix = true};
  const auto pseudo_transient = [](double first_step) { return PseudoTransient{.first_step = first_step}; };
  return {candidate("Picard", Picard{}, contraction),
          candidate("PicardDamped", Picard{.damping = 0.5}, slow),
          candidate("Reversible", Reversible{}, {.needs = Needs::Contraction, .in_one_step = false}),
          candidate("Anderson", Anderson{}),
          candidate("AndersonShort", Anderson{.memory = 2}),
          candidate("AndersonLong", Anderson{.memory = 12}),
          candidate("AndersonMixing", Anderson{.mixing = 0.6}, slow),
          candidate("AndersonOfOne", Anderson{.memory = 1}, contraction),
          candidate("Newton", Newton{}, {.leaves_inverse = true, .by_matrix = true, .systems = 18}),
          candidate("Broyden", Broyden{}, {.leaves_inverse = true, .by_matrix = true, .systems = 17}),
          candidate("BroydenShort", Broyden{.memory = 3}, inverse),
          candidate("BroydenFromJacobian", Broyden{.start = BroydenStart::Jacobian}, inverse),
          candidate("Chord", Chord{}, {.leaves_inverse = true, .by_matrix = true, .systems = 17}),
          candidate("NewtonKrylov", NewtonKrylov{}, {.systems = 18}),
          candidate("Dogleg", Dogleg{}, {.by_matrix = true, .systems = 18}),
          candidate("PseudoTransient", PseudoTransient{},
                    {.by_matrix = true, .in_one_step = false, .in_time = pseudo_transient}),
          candidate("Auto", Auto{}, {.by_matrix = true, .systems = 18}),
          candidate("UsersOwn", HalfSteps{}, slow),
          candidate("ForwardBackward", ForwardBackward{}, monotone),
          candidate("PeacemanRachford", PeacemanRachford{}, monotone)};
}

std::vector<SolverCandidate> those(const std::function<bool(const SolverCandidate&)>& wanted) {
  auto all = all_candidates();
  std::erase_if(all, [&](const SolverCandidate& each) { return !wanted(each); });
  return all;
}

bool takes_any_map(const SolverCandidate& each) { return each.claims.needs != Needs::MonotoneMap; }

}  // namespace

std::ostream& operator<<(std::ostream& out, const SolverCandidate& candidate) {
  return out << candidate.name;
}

std::vector<SolverCandidate> solver_candidates() { return those(takes_any_map); }

std::vector<SolverCandidate> monotone_candidates() { return those(std::not_fn(takes_any_map)); }

std::vector<RootCandidate> root_candidates() {
  std::vector<RootCandidate> candidates;
  for (const SolverCandidate& each : solver_candidates()) {
    if (each.of_roots) candidates.push_back({each.name, *each.of_roots, each.claims});
  }
  return candidates;
}

std::vector<SolverCandidate> inverse_candidates(bool leave) {
  return those([leave](const SolverCandidate& each) {
    return takes_any_map(each) && each.claims.leaves_inverse == leave;
  });
}

std::ostream& operator<<(std::ostream& out, const GradientCandidate& candidate) {
  return out << candidate.name;
}

std::vector<GradientCandidate> gradient_candidates() {
  return {{"Implicit", Anderson{}, ImplicitGradient{}, Exact::AtTheSolution},
          {"ImplicitOfPicard", Picard{}, ImplicitGradient{}, Exact::AtTheSolution},
          {"ImplicitOfNewton", Newton{}, ImplicitGradient{}, Exact::AtTheSolution},
          {"ImplicitOfUsersSolver", HalfSteps{}, ImplicitGradient{}, Exact::AtTheSolution},
          {"Unrolled", Picard{}, UnrolledGradient{}, Exact::OfTheSteps},
          {"UnrolledDamped", Picard{.damping = 0.7}, UnrolledGradient{}, Exact::OfTheSteps},
          {"CheckpointedOne", Picard{}, CheckpointedGradient{.every = 1}, Exact::OfTheSteps},
          {"CheckpointedSeven", Picard{}, CheckpointedGradient{.every = 7}, Exact::OfTheSteps},
          {"CheckpointedAll", Picard{}, CheckpointedGradient{.every = 1000}, Exact::OfTheSteps},
          {"CheckpointedReversible", Reversible{}, CheckpointedGradient{.every = 4}, Exact::OfTheSteps},
          {"Reversible", Reversible{}, ReversibleGradient{.checkpoint_every = 3}, Exact::OfTheSteps},
          {"ReversibleGentle", Reversible{.mixing = 0.6}, ReversibleGradient{.checkpoint_every = 8},
           Exact::OfTheSteps},
          {"PhantomOne", Anderson{}, PhantomGradient{.steps = 1}, Exact::No},
          {"PhantomMany", Newton{}, PhantomGradient{.steps = 40}, Exact::No},
          {"PhantomDamped", HalfSteps{}, PhantomGradient{.steps = 9, .damping = 0.5}, Exact::No},
          {"UsersOwn", Anderson{}, TwoEvaluations{}, Exact::No}};
}

}  // namespace stillpoint::test
