#pragma once

#include <vector>

#include "convergence.h"
#include "plot.h"
#include "results.h"

namespace stillpoint::app {

/// The error of the test examples by epoch.
Panel error_panel(Task task, const std::vector<VariantResult>& results);

/// The residual by step. `tolerance`, if > 0, is drawn across.
Panel residual_panel(const std::vector<Trace>& traces, double tolerance);

/// The states of a trajectory of two numbers, in their plane: those of the test example, and what each
/// network makes of its start.
Panel phase_panel(const std::vector<TrainedVariant*>& variants, const Examples& test);

/// The same, number by number over the times.
Panel course_panel(const std::vector<TrainedVariant*>& variants, const Examples& test);

/// What networks say of the examples, over the truth.
Panel comparison_panel(const std::vector<TrainedVariant*>& variants, const Examples& examples);

/// What networks of one number make of it, over the examples they learned from.
Panel fit_panel(const std::vector<TrainedVariant*>& variants, const Examples& examples);

}  // namespace stillpoint::app
