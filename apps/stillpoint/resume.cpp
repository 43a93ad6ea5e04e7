#include "resume.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "run_parts.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

Checkpoint start(const TrainOptions& options, c10::Device device) {
  const auto& chosen = experiment(options.model.empty() ? experiments().front().name : options.model,
                                  options.width.value_or(0));
  Checkpoint made{.run = {.experiment = &chosen, .seed = options.seed.value_or(1), .data = chosen.data},
                  .variants = {}};
  for (const auto& name : options.variants.empty() ? chosen.variant_names() : options.variants) {
    made.variants.push_back(new_variant(chosen, name, made.run.seed));
    made.variants.back().network->to(device);
  }
  return made;
}

}  // namespace

Checkpoint start_or_load(const TrainOptions& options, c10::Device device) {
  auto models = options.load.empty() ? start(options, device) : load_checkpoint(options.load, device);
  auto& run = models.run;
  refuse_other(options, "--seed", options.seed.value_or(0), options.seed.has_value(), run.seed);
  refuse_other(options, "--model", options.model, !options.model.empty(), run.experiment->name);
  refuse_other(options, "--width", options.width.value_or(0), options.width.has_value(),
               run.experiment->width);
  if (!options.data.empty()) {
    run.data = options.data;
  }
  if (!run.data.empty()) {
    run.data = std::filesystem::absolute(run.data);
  }
  return models;
}

std::int64_t plan_epochs(const TrainOptions& options, Checkpoint& models,
                         const std::vector<TrainedVariant*>& chosen) {
  auto& run = models.run;
  const auto& recipe = run.experiment->recipe;
  const auto before = options.load.empty() ? recipe.epochs : run.epochs;
  const auto wanted = options.epochs.value_or(before);
  const auto done = [](const TrainedVariant& variant) {
    return static_cast<std::int64_t>(variant.epochs.size());
  };
  const bool trains =
      std::ranges::any_of(chosen, [&](const auto* variant) { return done(*variant) < wanted; });
  if (!trains) {
    return wanted;
  }
  for (const auto& variant : models.variants) {
    if (!same_beginning(recipe, done(variant), before, wanted)) {
      throw UserError(fmt::format(
          "--epochs {}: {} was trained with steps that get smaller towards epoch {}; leave --epochs out",
          wanted, options.load.string(), before));
    }
  }
  run.epochs = wanted;
  return wanted;
}

Dataset load_examples(const TrainOptions& options, RunHeader& run, c10::Device device) {
  const bool loaded = !options.load.empty();
  const auto before = run;
  auto data = run.experiment->load(run.data, device);
  const auto first = [&](Examples& examples, const std::optional<std::int64_t>& told, std::int64_t noted) {
    examples = examples.slice(0, told.value_or(loaded ? noted : examples.size()));
    return examples.size();
  };
  run.train_examples = first(data.train, options.examples, before.train_examples);
  run.test_examples = first(data.test, options.test_examples, before.test_examples);
  run.checksum = checksum_of(data);
  if (loaded) {
    refuse_other(options, "--examples", run.train_examples, options.examples.has_value(),
                 before.train_examples);
    refuse_other(options, "--test-examples", run.test_examples, options.test_examples.has_value(),
                 before.test_examples);
    if (run.checksum != before.checksum) {
      throw UserError(fmt::format("{} was trained on other examples than those of {}: name its own by --data",
                                  options.load.string(), run.data.string()));
    }
  }
  return data;
}

}  // namespace stillpoint::app
