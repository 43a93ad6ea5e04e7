#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "results.h"
#include "run.h"

namespace stillpoint::app {

/// Everything the program found out, in the shape that --report writes:
/// {"model", "variants": [{"name", …, "epochs": [{…}]}], "seed", …}; docs/training.md says what each field
/// is. Errors are fractions (squares, where numbers are learned); what is not known, or not a number, is
/// null, and what is not UTF-8 is replaced.
std::string make_report(const RunHeader& run, const std::vector<VariantResult>& results,
                        const std::string& device, const std::string& command);

/// A report of any kind as text, after it was told on what and by what it was made.
std::string finish_report(nlohmann::json report, const std::string& device, const std::string& command);

nlohmann::json epochs_to_json(const std::vector<Epoch>& epochs);
/// The inverse. Throws nlohmann::json::exception.
std::vector<Epoch> epochs_from_json(const nlohmann::json& list);

}  // namespace stillpoint::app
