#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "train.h"

namespace stillpoint::app {

/// Tries all that the options want written, before any work is done: throws the UserError that would come in
/// the end, and one if two of them, or one and `data` or --load, are the same file. A checkpoint may replace
/// the one that is loaded.
void check_outputs(const TrainOptions& options, const std::filesystem::path& data);

/// Does each job, whether others fail or not, and then throws an error that says what failed: a UserError if
/// they all are.
void do_each(const std::vector<std::function<void()>>& jobs);

}  // namespace stillpoint::app
