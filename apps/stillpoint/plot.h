#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "convergence.h"
#include "results.h"

namespace stillpoint::app {

/// Throws UserError unless `path` ends in .svg or .png and gnuplot can be run.
void check_plot(const std::filesystem::path& path);

/// Draws test error by epoch beside residual by evaluation. Throws UserError.
void write_plot(const std::filesystem::path& path, const std::vector<VariantResult>& results,
                const std::vector<Trace>& traces);

}  // namespace stillpoint::app
