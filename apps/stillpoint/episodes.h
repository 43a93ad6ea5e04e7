#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "cart_pole.h"
#include "network.h"

namespace stillpoint::app {

/// The steps after which an episode ends in any case.
inline constexpr std::int64_t kHorizon = 200;

/// A cart and pole from its start until it falls, or up to the horizon.
struct Episode {
  std::vector<CartPole> states;      ///< T + 1: those in which it was pushed, and the last one
  std::vector<std::int64_t> pushes;  ///< T: 0 to the left, 1 to the right

  /// What is to be made large: 1 for each push.
  std::int64_t steps() const { return static_cast<std::int64_t>(pushes.size()); }
};

/// States as a network takes them, `[N, 4]` in double.
at::Tensor to_tensor(const std::vector<CartPole>& states);

/// Episodes of a policy, whose outputs are the logits of pushing to the left and to the right. They begin
/// with each of a state's four numbers uniform in [−0.05, 0.05], and pushes are drawn, all by LibTorch's
/// generator. `at_once` are played together. A new one begins until `steps` were made, and each is played to
/// its end, so that long ones do not count less than short ones.
std::vector<Episode> play(Network& policy, std::int64_t steps, std::int64_t at_once);

/// One episode that begins with the pole 0.05 radians to the right, at rest, in which each push is the more
/// probable one.
Episode demonstrate(Network& policy);

/// How much better each step of an episode was than expected, `T` numbers:
///     Σₖ (discount · decay)ᵏ δₜ₊ₖ with δₜ = rewardₜ + discount · valueₜ₊₁ − valueₜ,
/// for values of T + 1 states, the last of which is to be 0 if nothing can follow it. (Schulman, Moritz,
/// Levine, Jordan, Abbeel 2016, High-Dimensional Continuous Control Using Generalized Advantage Estimation,
/// equation 16.)
std::vector<double> advantages(const std::vector<double>& rewards, const std::vector<double>& values,
                               double discount, double decay);

/// All steps of some episodes, as a policy learns from them.
struct Experience {
  at::Tensor states;      ///< `[N, 4]`
  at::Tensor pushes;      ///< `[N]` int64
  at::Tensor advantages;  ///< `[N]`, shifted and scaled to mean 0 and deviation 1
  at::Tensor returns;     ///< `[N]`: what the values should have been, value + advantage
};

/// `value` gives the expected discounted return of states, `[N, 1]`. A pole that stands at the horizon counts
/// as one that could have gone on.
Experience learn_from(const std::vector<Episode>& episodes, Network& value, double discount, double decay);

}  // namespace stillpoint::app
