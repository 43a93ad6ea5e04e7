#pragma once

#include "experiment.h"

// Models whose layers are solutions of optimization problems.
namespace stillpoint::app {

Experiment sudoku_experiment();
Experiment denoise_experiment();
Experiment projection_experiment();
Experiment top_k_experiment();

}  // namespace stillpoint::app
