#pragma once

#include "learner.h"

namespace stillpoint::app {

/// Logistic regression on images by Newton-CG, L-BFGS and Adam: the loss by passes over the data.
Study hypernewton_study();

}  // namespace stillpoint::app
