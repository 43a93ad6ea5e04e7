#include "report.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

namespace stillpoint::app::testing {
namespace {

std::set<std::string> keys(const nlohmann::json& object) {
  std::set<std::string> names;
  for (const auto& [key, value] : object.items()) {
    names.insert(key);
  }
  return names;
}

std::vector<Epoch> two_epochs() {
  const Pass train{.error = 0.25, .loss = 0.5, .iterations = 20, .backward_iterations = 11.5, .seconds = 3};
  const Pass test{
      .error = 0.125, .loss = 0.25, .iterations = 30, .backward_iterations = {}, .unconverged = 2};
  const Pass later{.error = 0.2, .loss = 0.4, .iterations = 22, .backward_iterations = 12, .seconds = 5};
  return {{.number = 1, .train = train, .test = test}, {.number = 2, .train = later, .test = test}};
}

nlohmann::json parsed_report(const RunHeader& run, const std::vector<VariantResult>& results,
                             const std::string& command) {
  return nlohmann::json::parse(make_report(run, results, "cpu", command));
}

TEST(Report, HasTheShapeThatIsPromised) {
  auto result = summarize("newton-implicit", Task::Classes, two_epochs(), two_epochs().back().test);
  result.peak_bytes = 123;
  result.gradient_error = 1e-6;
  const RunHeader run{.experiment = &experiment("fixed-point"),
                      .seed = 7,
                      .epochs = 2,
                      .data = "/data",
                      .train_examples = 600,
                      .test_examples = 100,
                      .checksum = 0x0123abcd};
  const auto report = parsed_report(run, {result}, "stillpoint train");
  EXPECT_EQ(keys(report), (std::set<std::string>{"model", "width", "variants", "data", "epochs", "seed",
                                                 "device", "threads", "command", "versions"}));
  EXPECT_EQ(keys(report["versions"]), (std::set<std::string>{"stillpoint", "libtorch", "compiler"}));
  EXPECT_EQ(report["data"],
            (nlohmann::json{
                {"path", "/data"}, {"train_examples", 600}, {"test_examples", 100}, {"crc32", "0123abcd"}}));
  EXPECT_EQ(report["epochs"], 2);
  EXPECT_EQ(report["device"], "cpu");
  EXPECT_EQ(report["threads"], at::get_num_threads());
  EXPECT_EQ(report["seed"], 7);
  EXPECT_EQ(report["command"], "stillpoint train");

  const auto& variant = report["variants"].at(0);
  EXPECT_EQ(keys(variant), (std::set<std::string>{
                               "name", "parameters", "bits_per_character", "test_error", "train_error",
                               "forward_iterations", "backward_iterations", "forward_evaluations",
                               "backward_evaluations", "mean_absolute_error", "test_mse", "parameter_error",
                               "seconds_per_epoch", "peak_bytes", "gradient_error", "epochs"}));
  EXPECT_EQ(variant["name"], "newton-implicit");
  EXPECT_EQ(variant["test_error"], 0.125);
  EXPECT_EQ(variant["train_error"], 0.2);
  EXPECT_EQ(variant["forward_iterations"], 22.0);
  EXPECT_EQ(variant["backward_iterations"], 12.0);
  EXPECT_EQ(variant["seconds_per_epoch"], 4.0);
  EXPECT_EQ(variant["peak_bytes"], 123);
  EXPECT_EQ(variant["gradient_error"], 1e-6);
  EXPECT_EQ(variant["epochs"].size(), 2U);
  EXPECT_EQ(variant["epochs"][1]["epoch"], 2);
}

TEST(Report, SaysNullForWhatIsNotKnown) {
  const auto result =
      summarize("picard-unrolled", Task::Classes, {}, {.error = 0.9, .loss = 2.3, .backward_iterations = {}});
  const auto report = parsed_report({.experiment = &experiment("fixed-point")}, {result}, "");
  EXPECT_TRUE(report["data"]["path"].is_null());
  const auto variant = report["variants"][0];
  for (const char* key : {"train_error", "forward_iterations", "backward_iterations", "forward_evaluations",
                          "backward_evaluations", "mean_absolute_error", "test_mse", "seconds_per_epoch",
                          "gradient_error", "bits_per_character"}) {
    EXPECT_TRUE(variant[key].is_null()) << key;
  }
}

TEST(Report, ReplacesWhatIsNotUtf8) {
  const RunHeader run{.experiment = &experiment("fixed-point"), .data = "/da\xffta"};
  const auto report = parsed_report(run, {}, "stillpoint train --report a\xff");
  EXPECT_EQ(report["command"], "stillpoint train --report a\uFFFD");
  EXPECT_EQ(report["data"]["path"], "/da\uFFFDta");
}

TEST(Report, GivesBitsOfATextAlone) {
  const Pass test{.error = 0.5, .loss = 2 * std::numbers::ln2};
  EXPECT_DOUBLE_EQ(summarize("equilibrium", Task::Characters, {}, test).bits_per_character.value(), 2.0);
  EXPECT_FALSE(summarize("gamma-0", Task::Numbers, {}, test).bits_per_character.has_value());
  EXPECT_EQ(summarize("relu", Task::Signals, {}, test).test_mse, 0.5);
}

TEST(Report, GivesTheSameEpochsBack) {
  auto epochs = two_epochs();
  epochs[1].train.loss = std::numeric_limits<double>::quiet_NaN();
  epochs[1].train.backward_iterations = std::nullopt;
  epochs[1].first_output = {0.5, 0.25};
  const auto text = epochs_to_json(epochs).dump();
  const auto back = epochs_from_json(nlohmann::json::parse(text));
  EXPECT_EQ(epochs_to_json(back).dump(), text);
  EXPECT_EQ(back[0].train.backward_iterations, 11.5);
  EXPECT_TRUE(back[0].first_output.empty());
  EXPECT_EQ(back[1].first_output, epochs[1].first_output);
  EXPECT_EQ(back[0].test.unconverged, 2);
  EXPECT_TRUE(std::isnan(back[1].train.loss));
  EXPECT_FALSE(back[1].train.backward_iterations.has_value());
}

}  // namespace
}  // namespace stillpoint::app::testing
