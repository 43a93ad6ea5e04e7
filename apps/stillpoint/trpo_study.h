#pragma once

#include "learner.h"

namespace stillpoint::app {

/// A pole on a cart is held upright by a policy that learns by trust-region policy optimization: one of tanh
/// units, one with a deep equilibrium, and one that steps along the gradient itself.
Study trpo_study();

}  // namespace stillpoint::app
