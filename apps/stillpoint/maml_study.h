#pragma once

#include "learner.h"

namespace stillpoint::app {

/// Meta-learning of sinusoids, by exact gradients, by those of first order and by implicit ones.
Study maml_study();

}  // namespace stillpoint::app
