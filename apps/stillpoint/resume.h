#pragma once

#include <vector>

#include "checkpoint.h"
#include "train.h"

namespace stillpoint::app {

// How a run begins: anew, or from a checkpoint. What the options leave open is then as it was; what they say
// must be as it was, so that a run in pieces learns what it would have learned in one.

/// Untrained variants, or those of --load, with the run that they belong to, but for its examples. Throws
/// UserError.
Checkpoint start_or_load(const TrainOptions& options, c10::Device device);

/// The number of epochs that each of the chosen variants is to have in the end. It becomes the run's if any
/// of them has fewer. Throws UserError if epochs that are done would have taken other steps on the way to
/// that number.
std::int64_t plan_epochs(const TrainOptions& options, Checkpoint& models,
                         const std::vector<TrainedVariant*>& chosen);

/// The examples, which are noted in `run`. Throws UserError if they are not those that it noted before.
Dataset load_examples(const TrainOptions& options, RunHeader& run, c10::Device device);

}  // namespace stillpoint::app
