#pragma once

#include "experiment.h"

// Models whose layers are solutions of optimization problems.
namespace stillpoint::app {

Experiment sudoku_experiment();
Experiment denoise_experiment();

}  // namespace stillpoint::app
