#pragma once

#include <vector>

#include "plot.h"
#include "results.h"
#include "trainer.h"

// What evaluations of an ODE's f buy, of networks that solve one. (The pictures of Chen et al. 2018,
// figure 3.)
namespace stillpoint::app {

/// The evaluations of each epoch's training batches, forward and backward.
Panel evaluations_panel(const std::vector<VariantResult>& results);

/// Three panels about the first network whose steps follow a tolerance, solved to several tolerances on one
/// batch: the error of its outputs, and the time of its solve, over forward evaluations; and backward
/// evaluations over forward ones for each gradient rule. Empty if there is no such network.
std::vector<Panel> tolerance_panels(const std::vector<TrainedVariant*>& variants, const Examples& batch);

}  // namespace stillpoint::app
