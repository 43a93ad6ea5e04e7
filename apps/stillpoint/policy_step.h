#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

#include "episodes.h"
#include "network.h"
#include "stillpoint/autograd/curvature.h"

namespace stillpoint::app {

/// How far a policy may go in one step, and how the way there is found. (Schulman, Levine, Moritz, Jordan,
/// Abbeel 2015, Trust Region Policy Optimization, section 6 and appendix C.)
struct TrustRegion {
  double kl = 0.01;            ///< the largest mean KL divergence of the new policy from the old one, in nats
  std::int64_t products = 10;  ///< of conjugate gradients; 0: along the gradient itself
  double damping = 0.1;        ///< added to the Fisher matrix's diagonal
  std::int64_t halvings = 10;  ///< of a step that goes too far, or makes nothing better
};

/// What came of a step.
struct PolicyStep {
  double kl = 0;      ///< mean KL divergence of the new policy from the old one
  double length = 0;  ///< Euclidean norm of the change of the weights; 0 if no step was taken
  double gain = 0;    ///< of the expected advantage
  /// ‖g − (F + damping) s‖ / ‖g‖; NaN if no system was solved.
  double cg_residual = std::numeric_limits<double>::quiet_NaN();
};

/// The mean Fisher matrix of the pushes' probabilities in these states, in all weights. It is the Hessian of
/// the mean KL divergence from the present policy: products are double backward passes, through the
/// equilibrium where there is one.
Curvature fisher_matrix(Network& policy, const at::Tensor& states);

/// Takes the policy one step up the advantage that its experience promises: along (F + damping)⁻¹ g, as far
/// as a quadratic model of the KL divergence allows, halved until the divergence is kept in truth and the
/// advantage is larger.
PolicyStep improve(Network& policy, const Experience& experience, const TrustRegion& region);

}  // namespace stillpoint::app
