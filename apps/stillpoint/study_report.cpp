#include "study_report.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "report.h"
#include "run_parts.h"
#include "show_number.h"

namespace stillpoint::app {
namespace {

using nlohmann::json;

std::optional<double> seconds_per_round(const StudyResult& result) {
  const auto& seconds = result.seconds;
  return seconds.empty() ? std::nullopt
                         : std::optional(std::reduce(seconds.begin(), seconds.end()) /
                                         static_cast<double>(seconds.size()));
}

json report_of(const StudyResult& result) {
  auto rounds = json::array();
  for (std::size_t i = 0; i < result.rounds.size(); ++i) {
    json round{{"round", i + 1}, {"seconds", result.seconds[i]}};
    for (const auto& [name, number] : result.rounds[i]) {
      round[name] = number;
    }
    rounds.push_back(std::move(round));
  }
  const auto mean = seconds_per_round(result);
  json object(result.results);
  object.update({{"name", result.name},
                 {"parameters", result.parameters},
                 {"seconds_per_round", mean ? json(*mean) : json(nullptr)},
                 {"peak_bytes", result.peak_bytes},
                 {"rounds", std::move(rounds)}});
  return object;
}

std::size_t width_of(const std::string& name) { return std::max<std::size_t>(name.size(), 9); }

std::string cell(const nlohmann::ordered_json& results, const std::string& key) {
  const auto found = results.find(key);
  if (found == results.end() || !found->is_number()) {
    return "-";
  }
  return found->is_number_integer() ? grouped(found->get<std::int64_t>()) : significant(found->get<double>());
}

/// The names of all results that are numbers, in the order in which they come.
std::vector<std::string> columns_of(const std::vector<StudyResult>& results) {
  std::vector<std::string> names;
  for (const auto& result : results) {
    for (const auto& [key, value] : result.results.items()) {
      if (value.is_number() && std::ranges::count(names, key) == 0) {
        names.push_back(key);
      }
    }
  }
  return names;
}

constexpr auto kRoundStart = "{:19} {:>11}";

}  // namespace

StudyResult result_of(const StudiedVariant& variant, std::uint64_t seed) {
  torch::manual_seed(epoch_seed(seed, static_cast<std::int64_t>(variant.rounds.size()) + 1));
  return {.name = variant.name,
          .parameters = variant.learner->parameters(),
          .results = variant.learner->results(),
          .rounds = variant.rounds,
          .seconds = variant.seconds,
          .peak_bytes = variant.peak_bytes,
          .checksum = variant.learner->checksum()};
}

std::string make_study_report(const StudyRun& run, const std::vector<StudyResult>& results,
                              const std::string& command) {
  auto variants = json::array();
  std::uint32_t checksum = 0;
  for (const auto& result : results) {
    variants.push_back(report_of(result));
    checksum = result.checksum;
  }
  return finish_report({{"model", run.study->name},
                        {"variants", std::move(variants)},
                        {"data",
                         {{"path", run.data.empty() ? json(nullptr) : json(run.data.string())},
                          {"crc32", checksum == 0 ? json(nullptr) : json(fmt::format("{:08x}", checksum))}}},
                        {"epochs", run.rounds},
                        {"seed", run.seed}},
                       "cpu", command);
}

std::string round_header(const Figures& figures) {
  auto line = fmt::format(kRoundStart, "variant", "round");
  for (const auto& [name, number] : figures) {
    line += fmt::format("  {:>{}}", name, width_of(name));
  }
  return line + fmt::format("  {:>7}", "seconds");
}

std::string round_line(const std::string& variant, const std::string& round, const Figures& figures,
                       double seconds) {
  auto line = fmt::format(kRoundStart, variant, round);
  for (const auto& [name, number] : figures) {
    line += fmt::format("  {:>{}}", significant(number), width_of(name));
  }
  return line + fmt::format("  {:>7}", decimal(seconds, 2));
}

std::string in_brief(const Figures& figures) {
  std::string text;
  for (const auto& [name, number] : figures) {
    text += fmt::format("{}{} {}", text.empty() ? "" : "  ", name, significant(number));
  }
  return text;
}

std::vector<std::string> study_table(const std::vector<StudyResult>& results) {
  const auto columns = columns_of(results);
  auto header = fmt::format("{:19} {:>6} {:>10}", "variant", "rounds", "parameters");
  for (const auto& name : columns) {
    header += fmt::format("  {:>{}}", name, width_of(name));
  }
  std::vector<std::string> lines{header + fmt::format("  {:>15}  {:>13}", "seconds / round", "peak bytes")};
  for (const auto& result : results) {
    auto line =
        fmt::format("{:19} {:>6} {:>10}", result.name, result.rounds.size(), grouped(result.parameters));
    for (const auto& name : columns) {
      line += fmt::format("  {:>{}}", cell(result.results, name), width_of(name));
    }
    lines.push_back(line + fmt::format("  {:>15}  {:>13}", decimal(seconds_per_round(result), 3),
                                       grouped(result.peak_bytes)));
  }
  return lines;
}

}  // namespace stillpoint::app
