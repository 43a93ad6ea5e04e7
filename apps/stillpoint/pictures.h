#pragma once

#include <vector>

#include "panels.h"
#include "run.h"
#include "trainer.h"

namespace stillpoint::app {

/// What --plot draws of the variants of a run and of what they reached.
std::vector<Panel> picture_of(const RunHeader& run, const std::vector<TrainedVariant*>& variants,
                              const std::vector<VariantResult>& results, const Dataset& data);

}  // namespace stillpoint::app
