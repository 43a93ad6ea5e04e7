#include "policy_step.h"

#include <torch/types.h>

#include <cmath>

#include "flat_weights.h"
#include "stillpoint/linear/linear_solve.h"
#include "stillpoint/linear/solvers/cg.h"

namespace stillpoint::app {
namespace {

at::Tensor log_probabilities(Network& policy, const at::Tensor& states) {
  return policy.forward(states).log_softmax(1);
}

at::Tensor mean_kl(const at::Tensor& from, const at::Tensor& to) {
  return (from.exp() * (from - to)).sum(1).mean();
}

/// The expected advantage of a policy over the one that played. (Equation 14.)
at::Tensor surrogate(const Experience& experience, const at::Tensor& old, const at::Tensor& now) {
  const auto ratio = (now - old).gather(1, experience.pushes.unsqueeze(1)).squeeze(1).exp();
  return (ratio * experience.advantages).mean();
}

at::Tensor gradient(Network& policy, const Experience& experience) {
  const torch::AutoGradMode record(true);
  const auto now = log_probabilities(policy, experience.states);
  return flattened(torch::autograd::grad({surrogate(experience, now.detach(), now)}, policy.parameters(), {},
                                         {}, false, true));
}

/// Takes the longest of the halves of a change that is allowed and makes something better; none if none does.
PolicyStep search_along(Network& policy, const Experience& experience, const TrustRegion& region,
                        const at::Tensor& longest) {
  const auto parameters = policy.parameters();
  const auto start = flattened(parameters);
  const auto old = log_probabilities(policy, experience.states);
  const double before = surrogate(experience, old, old).item<double>();
  auto change = longest;
  for (std::int64_t halved = 0; halved <= region.halvings; ++halved, change = change / 2) {
    set_weights(parameters, start + change);
    const auto now = log_probabilities(policy, experience.states);
    const double kl = mean_kl(old, now).item<double>();
    const double gain = surrogate(experience, old, now).item<double>() - before;
    if (kl <= region.kl && gain > 0) return {.kl = kl, .length = change.norm().item<double>(), .gain = gain};
  }
  set_weights(parameters, start);
  return {};
}

}  // namespace

Curvature fisher_matrix(Network& policy, const at::Tensor& states) {
  const auto divergence = [&] {
    const auto now = log_probabilities(policy, states);
    return mean_kl(now.detach(), now);
  };
  return hessian_at(divergence, policy.parameters());
}

PolicyStep improve(Network& policy, const Experience& experience, const TrustRegion& region) {
  const torch::NoGradGuard no_grad;
  const auto g = gradient(policy, experience);
  if (g.count_nonzero().item<std::int64_t>() == 0) return {};  // nothing that is better
  const auto fisher = fisher_matrix(policy, experience.states);
  const auto damped = [&](const at::Tensor& v) {
    return flattened(fisher(split_like(v, policy.parameters()))) + region.damping * v;
  };
  double residual = PolicyStep{}.cg_residual;
  auto direction = g;
  if (region.products > 0) {
    const LinearOperator matrix{.product = [&](const at::Tensor& v) { return damped(v[0]).unsqueeze(0); },
                                .structure = Structure::PositiveDefinite};
    const auto [solution, report] =
        linear_solve(matrix, g.unsqueeze(0),
                     {.solver = Cg{.max_iterations = region.products}, .on_failure = OnFailure::Ignore});
    direction = solution[0];
    residual = report.residual[0] / g.norm().item<double>();
  }
  // The model of the divergence, ½ sᵀ F s, is to be what is allowed.
  const double model = 0.5 * direction.dot(damped(direction)).item<double>();
  auto step = search_along(policy, experience, region, std::sqrt(region.kl / model) * direction);
  step.cg_residual = residual;
  return step;
}

}  // namespace stillpoint::app
