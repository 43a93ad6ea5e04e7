#pragma once

#include "learner.h"

namespace stillpoint::app {

/// Wasserstein generative adversarial networks with gradient penalty (adversarial_learner.h) on points in the
/// plane, with critics of hidden layers, and with one that is an equilibrium.
Study adversarial_study();

}  // namespace stillpoint::app
