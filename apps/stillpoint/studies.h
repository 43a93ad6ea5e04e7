#pragma once

#include <string>
#include <vector>

#include "learner.h"

namespace stillpoint::app {

/// The models beside experiments (experiment.h).
const std::vector<Study>& studies();
/// Null if none has that name.
const Study* find_study(const std::string& name);

/// Of all models, experiments and studies.
std::vector<std::string> model_names();

}  // namespace stillpoint::app
