#pragma once

#include <vector>

#include "dataset.h"
#include "plot.h"
#include "results.h"
#include "run.h"

namespace stillpoint::app {

/// How the first test board was filled over training: the board that was given, and what was made of it by
/// the untrained network and by the variant after up to three epochs. The larger a digit's share of its cell,
/// the larger and darker it is; those that the solution does not have are orange.
std::vector<Panel> board_panels(const RunHeader& run, const VariantResult& result, const Examples& test);

}  // namespace stillpoint::app
