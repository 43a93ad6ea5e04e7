#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "results.h"

namespace stillpoint::app {

/// Everything the program found out, in the shape that --report writes:
/// {"model", "variants": [{"name", …, "epochs": [{…}]}], "seed", "command", "versions"}. Errors are fractions
/// (squares, where numbers are learned); what is not known, or not a number, is null.
nlohmann::json make_report(const std::string& model, const std::vector<VariantResult>& results,
                           std::uint64_t seed, const std::string& command);

nlohmann::json epochs_to_json(const std::vector<Epoch>& epochs);
/// The inverse. Throws nlohmann::json::exception.
std::vector<Epoch> epochs_from_json(const nlohmann::json& list);

}  // namespace stillpoint::app
