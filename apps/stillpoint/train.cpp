#include "train.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "checkpoint.h"
#include "console.h"
#include "files.h"
#include "gradient_error.h"
#include "panels.h"
#include "report.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

/// Everything that could only fail at the end fails now.
void check_outputs(const TrainOptions& options) {
  for (const auto& path : {options.report, options.plot, options.save}) {
    if (!path.empty()) {
      check_writable(path);
    }
  }
  if (!options.plot.empty()) {
    check_plot(options.plot);
  }
}

c10::Device find_device(const std::string& name) {
  try {
    const c10::Device device(name);
    TORCH_CHECK(device.is_cpu() || device.is_cuda());
    torch::empty({1}, device);
    return device;
  } catch (const std::exception&) {
    throw UserError(fmt::format("--device {} cannot be used with this LibTorch and machine: try cpu", name));
  }
}

Checkpoint new_variants(const TrainOptions& options) {
  Checkpoint made{.experiment = options.model.empty() ? &experiments().front() : &experiment(options.model),
                  .seed = options.seed.value_or(1),
                  .variants = {}};
  for (const auto& name : options.variants.empty() ? made.experiment->variant_names() : options.variants) {
    made.variants.push_back(new_variant(*made.experiment, name, made.seed));
  }
  return made;
}

Checkpoint load_variants(const TrainOptions& options) {
  auto loaded = load_checkpoint(options.load);
  if (options.seed && *options.seed != loaded.seed) {
    throw UserError(fmt::format("--seed {}: {} was trained with seed {}; leave --seed out", *options.seed,
                                options.load.string(), loaded.seed));
  }
  if (!options.model.empty() && options.model != loaded.experiment->name) {
    throw UserError(fmt::format("--model {}: {} holds the model {}; leave --model out", options.model,
                                options.load.string(), loaded.experiment->name));
  }
  return loaded;
}

/// Those that `names` picks, in that order; all if it is empty.
std::vector<TrainedVariant*> choose(Checkpoint& models, const std::vector<std::string>& names) {
  std::vector<TrainedVariant*> chosen;
  for (auto& variant : models.variants) {
    if (names.empty()) {
      chosen.push_back(&variant);
    }
  }
  for (const auto& name : names) {
    const auto found = std::ranges::find(models.variants, name, &TrainedVariant::name);
    if (found == models.variants.end()) {
      throw UserError(
          fmt::format("--variants {0}: the checkpoint does not hold it; leave it out, or --load", name));
    }
    if (std::ranges::count(names, name) > 1) {
      throw UserError(fmt::format("--variants names {} more than once: name it once", name));
    }
    chosen.push_back(&*found);
  }
  return chosen;
}

/// Where the data come from, for the first lines.
std::string source(const TrainOptions& options, const Experiment& experiment) {
  const auto& path = options.data.empty() ? experiment.data : options.data;
  return path.empty() ? "" : " from " + path.string();
}

Dataset load_data(const TrainOptions& options, const Experiment& experiment, c10::Device device) {
  auto data = experiment.load(options.data.empty() ? experiment.data : options.data, device);
  data.train = data.train.slice(0, options.examples.value_or(data.train.size()));
  data.test = data.test.slice(0, options.test_examples.value_or(data.test.size()));
  return data;
}

void save(const TrainOptions& options, const Checkpoint& models) {
  if (!options.save.empty()) {
    save_checkpoint(options.save, models);
  }
}

VariantResult measure(const Experiment& experiment, const TrainedVariant& variant, const Trainer& trainer,
                      const Dataset& data) {
  auto result = summarize(variant.name, experiment.task, variant.epochs, trainer.test(*variant.network));
  for (const auto& parameter : variant.network->parameters()) {
    result.parameters += parameter.numel();
  }
  result.peak_bytes = trainer.step_bytes(variant);
  result.gradient_error = gradient_error(experiment, variant, data.test.slice(0, experiment.measured));
  return result;
}

/// Trains, shows and measures the chosen variants, one after the other.
std::vector<VariantResult> run(const TrainOptions& options, Checkpoint& models,
                               const std::vector<TrainedVariant*>& chosen, const Dataset& data,
                               Console& console) {
  const auto& experiment = *models.experiment;
  const Trainer trainer(experiment, data, models.seed);
  std::vector<VariantResult> results;
  for (auto* variant : chosen) {
    const auto last =
        static_cast<std::int64_t>(variant->epochs.size()) + options.epochs.value_or(experiment.recipe.epochs);
    while (static_cast<std::int64_t>(variant->epochs.size()) < last) {
      const auto number = static_cast<std::int64_t>(variant->epochs.size()) + 1;
      variant->epochs.push_back(trainer.run_epoch(*variant, last, [&](double fraction, const Pass& so_far) {
        console.progress(variant->name, number, last, fraction, so_far);
      }));
      console.epoch(experiment.task, variant->name, variant->epochs.back(), last);
      save(options, models);
    }
    results.push_back(measure(experiment, *variant, trainer, data));
  }
  return results;
}

std::vector<Panel> picture(const Experiment& experiment, const std::vector<TrainedVariant*>& chosen,
                           const std::vector<VariantResult>& results, const Dataset& data) {
  const auto batch = data.test.slice(0, experiment.measured);
  auto left = experiment.task == Task::Numbers ? fit_panel(chosen, data.train)
                                               : error_panel(experiment.task, results);
  const double tolerance = experiment.compared.empty() ? 0 : kTolerance;
  return {std::move(left), residual_panel(trace_solvers(experiment, chosen, batch.inputs), tolerance)};
}

}  // namespace

void train(const TrainOptions& options) {
  check_outputs(options);
  at::set_num_threads(options.threads);
  const auto device = find_device(options.device);
  auto models = options.load.empty() ? new_variants(options) : load_variants(options);
  const auto& experiment = *models.experiment;
  const auto chosen = choose(models, options.variants);
  const auto data = load_data(options, experiment, device);
  for (auto* variant : chosen) {
    variant->network->to(device);
  }
  save(options, models);

  Console console;
  console.line(experiment.description);
  console.line(fmt::format("{} training and {} test examples{}; seed {}", data.train.size(), data.test.size(),
                           source(options, experiment), models.seed));
  if (options.epochs.value_or(experiment.recipe.epochs) > 0) {
    console.epoch_header();
  }
  const auto results = run(options, models, chosen, data, console);
  console.summary(experiment.task, results);

  if (!options.report.empty()) {
    write_file(options.report,
               make_report(experiment.name, results, models.seed, options.command).dump(2) + "\n");
  }
  if (!options.plot.empty()) {
    write_plot(options.plot, picture(experiment, chosen, results, data));
  }
}

}  // namespace stillpoint::app
