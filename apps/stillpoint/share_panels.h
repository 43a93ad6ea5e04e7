#pragma once

#include <vector>

#include "dataset.h"
#include "plot.h"
#include "trainer.h"

namespace stillpoint::app {

/// Of networks that give shares of classes: of how many test images they give a share to so many classes, and
/// the shares of the image that the first network is the least sure of.
std::vector<Panel> share_panels(const std::vector<TrainedVariant*>& variants, const Examples& test);

/// Of networks that choose images of a set: how far those of each digit are chosen in the mean, over how
/// often they should be, and how far those of one set are.
std::vector<Panel> choice_panels(const std::vector<TrainedVariant*>& variants, const Examples& test);

}  // namespace stillpoint::app
