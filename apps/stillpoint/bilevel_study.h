#pragma once

#include "learner.h"

namespace stillpoint::app {

/// Penalties of ridge and of logistic regression on images: one, or one for each feature; by the gradient of
/// the loss on other images, and by trying a grid.
Study bilevel_study();

}  // namespace stillpoint::app
