#pragma once

#include <c10/core/Device.h>

#include "learner.h"
#include "train.h"

namespace stillpoint::app {

/// `train` of a study: each round is seeded by its number, so that a variant learns the same alone, beside
/// others, and in pieces. Throws UserError or Interrupted.
void train_study(const Study& study, const TrainOptions& options, c10::Device device);

}  // namespace stillpoint::app
