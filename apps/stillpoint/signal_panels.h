#pragma once

#include <vector>

#include "dataset.h"
#include "plot.h"
#include "trainer.h"

namespace stillpoint::app {

/// A panel for each variant: the first test signal, noisy and clean, and what the network makes of it.
std::vector<Panel> signal_panels(const std::vector<TrainedVariant*>& variants, const Examples& test);

}  // namespace stillpoint::app
