#pragma once

#include "learner.h"

namespace stillpoint::app {

/// The model `cnf`.
Study flow_study();

}  // namespace stillpoint::app
