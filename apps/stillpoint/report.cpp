#include "report.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace stillpoint::app {
namespace {

using nlohmann::json;

json or_null(const std::optional<double>& number) { return number ? json(*number) : json(nullptr); }

std::optional<double> optional_number(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

/// JSON has no NaN: it was written as null.
double number(const json& value) {
  return optional_number(value).value_or(std::numeric_limits<double>::quiet_NaN());
}

json to_json(const Epoch& epoch) {
  const auto& [epoch_number, train, test, first_output] = epoch;
  return {{"epoch", epoch_number},
          {"train_error", train.error},
          {"train_loss", train.loss},
          {"forward_iterations", or_null(train.iterations)},
          {"backward_iterations", or_null(train.backward_iterations)},
          {"unconverged", train.unconverged},
          {"backward_unconverged", train.backward_unconverged},
          {"seconds", train.seconds},
          {"test_error", test.error},
          {"test_loss", test.loss},
          {"test_iterations", or_null(test.iterations)},
          {"test_unconverged", test.unconverged},
          {"test_seconds", test.seconds},
          {"first_output", first_output.empty() ? json(nullptr) : json(first_output)}};
}

Epoch epoch_from_json(const json& object) {
  Epoch epoch{.number = object.at("epoch").get<std::int64_t>(), .train = {}, .test = {}};
  epoch.train = {.error = number(object.at("train_error")),
                 .loss = number(object.at("train_loss")),
                 .iterations = optional_number(object.at("forward_iterations")),
                 .backward_iterations = optional_number(object.at("backward_iterations")),
                 .unconverged = object.at("unconverged").get<std::int64_t>(),
                 .backward_unconverged = object.at("backward_unconverged").get<std::int64_t>(),
                 .seconds = number(object.at("seconds"))};
  epoch.test = {.error = number(object.at("test_error")),
                .loss = number(object.at("test_loss")),
                .iterations = optional_number(object.at("test_iterations")),
                .backward_iterations = std::nullopt,
                .unconverged = object.at("test_unconverged").get<std::int64_t>(),
                .seconds = number(object.at("test_seconds"))};
  if (const auto kept = object.find("first_output"); kept != object.end() && !kept->is_null()) {
    for (const auto& each : *kept) epoch.first_output.push_back(number(each));
  }
  return epoch;
}

json to_json(const VariantResult& result) {
  return {{"name", result.name},
          {"parameters", result.parameters},
          {"test_error", result.test_error},
          {"bits_per_character", or_null(result.bits_per_character)},
          {"train_error", or_null(result.train_error)},
          {"forward_iterations", or_null(result.forward_iterations)},
          {"backward_iterations", or_null(result.backward_iterations)},
          {"forward_evaluations", or_null(result.forward_evaluations)},
          {"backward_evaluations", or_null(result.backward_evaluations)},
          {"mean_absolute_error", or_null(result.mean_absolute_error)},
          {"test_mse", or_null(result.test_mse)},
          {"parameter_error", or_null(result.parameter_error)},
          {"seconds_per_epoch", or_null(result.seconds_per_epoch)},
          {"peak_bytes", result.peak_bytes},
          {"gradient_error", or_null(result.gradient_error)},
          {"epochs", epochs_to_json(result.epochs)}};
}

std::string compiler() {
#ifdef __clang__
  return __VERSION__;
#else
  return fmt::format("GCC {}", __VERSION__);
#endif
}

}  // namespace

std::string make_report(const RunHeader& run, const std::vector<VariantResult>& results,
                        const std::string& device, const std::string& command) {
  auto variants = json::array();
  for (const auto& result : results) {
    variants.push_back(to_json(result));
  }
  return finish_report({{"model", run.experiment->name},
                        {"width", run.experiment->width == 0 ? json(nullptr) : json(run.experiment->width)},
                        {"variants", std::move(variants)},
                        {"data",
                         {{"path", run.data.empty() ? json(nullptr) : json(run.data.string())},
                          {"train_examples", run.train_examples},
                          {"test_examples", run.test_examples},
                          {"crc32", fmt::format("{:08x}", run.checksum)}}},
                        {"epochs", run.epochs},
                        {"seed", run.seed}},
                       device, command);
}

std::string finish_report(json report, const std::string& device, const std::string& command) {
  report.update(
      {{"device", device},
       {"threads", at::get_num_threads()},
       {"command", command},
       {"versions",
        {{"stillpoint", STILLPOINT_VERSION}, {"libtorch", TORCH_VERSION}, {"compiler", compiler()}}}});
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

json epochs_to_json(const std::vector<Epoch>& epochs) {
  auto list = json::array();
  for (const auto& epoch : epochs) {
    list.push_back(to_json(epoch));
  }
  return list;
}

std::vector<Epoch> epochs_from_json(const json& list) {
  std::vector<Epoch> epochs;
  for (const auto& epoch : list) {
    epochs.push_back(epoch_from_json(epoch));
  }
  return epochs;
}

}  // namespace stillpoint::app
