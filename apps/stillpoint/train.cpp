#include "train.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "checkpoint.h"
#include "console.h"
#include "convergence.h"
#include "files.h"
#include "gradient_error.h"
#include "plot.h"
#include "report.h"
#include "trainer.h"
#include "user_error.h"
#include "variants.h"

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

/// Untrained models, all with the same weights.
Checkpoint new_models(std::uint64_t seed, const std::vector<std::string>& names) {
  Checkpoint models{.seed = seed, .variants = {}};
  for (const auto& name : names) {
    torch::manual_seed(seed);
    models.variants.push_back({name, Classifier(find_variant(name).options), {}});
  }
  return models;
}

Checkpoint load_models(const TrainOptions& options) {
  auto models = load_checkpoint(options.load);
  if (options.seed && *options.seed != models.seed) {
    throw UserError(fmt::format("--seed {}: {} was trained with seed {}; leave --seed out", *options.seed,
                                options.load.string(), models.seed));
  }
  return models;
}

/// Those of the models that `names` picks, in that order; all if it is empty.
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

void save(const TrainOptions& options, const Checkpoint& models) {
  if (!options.save.empty()) {
    save_checkpoint(options.save, models);
  }
}

VariantResult measure(const TrainedVariant& variant, const Trainer& trainer, const Dataset& data) {
  auto result = summarize(variant.name, variant.epochs, trainer.test(variant.model));
  result.peak_bytes = trainer.step_bytes(variant.model, find_variant(variant.name).options);
  result.gradient_error = gradient_error(variant.model, data.test.slice(0, kBatch));
  return result;
}

/// Trains, shows and measures the chosen variants, one after the other.
std::vector<VariantResult> run(const TrainOptions& options, Checkpoint& models,
                               const std::vector<TrainedVariant*>& chosen, const Dataset& data,
                               Console& console) {
  const Trainer trainer(data, models.seed);
  std::vector<VariantResult> results;
  for (auto* variant : chosen) {
    const auto last = static_cast<std::int64_t>(variant->epochs.size()) + options.epochs;
    while (static_cast<std::int64_t>(variant->epochs.size()) < last) {
      const auto number = static_cast<std::int64_t>(variant->epochs.size()) + 1;
      variant->epochs.push_back(
          trainer.run_epoch(variant->model, number, [&](double fraction, const Pass& so_far) {
            console.progress(variant->name, number, last, fraction, so_far);
          }));
      console.epoch(variant->name, variant->epochs.back(), last);
      save(options, models);
    }
    results.push_back(measure(*variant, trainer, data));
  }
  return results;
}

}  // namespace

void train(const TrainOptions& options) {
  check_outputs(options);
  at::set_num_threads(options.threads);
  const auto device = find_device(options.device);
  auto models = options.load.empty()
                    ? new_models(options.seed.value_or(1),
                                 options.variants.empty() ? variant_names() : options.variants)
                    : load_models(options);
  const auto chosen = choose(models, options.variants);
  const auto data = load_dataset(options.data, device);
  for (auto* variant : chosen) {
    variant->model->to(device);
  }
  save(options, models);

  Console console;
  console.line("Linear(784, 100), then the fixed point z* = tanh(W z* + x), then Linear(100, 10)");
  console.line(fmt::format("{}: {} training and {} test images; seed {}", options.data.string(),
                           data.train.size(), data.test.size(), models.seed));
  if (options.epochs > 0) {
    console.epoch_header();
  }
  const auto results = run(options, models, chosen, data, console);
  console.summary(results);

  if (!options.report.empty()) {
    write_file(options.report, make_report(results, models.seed, options.command).dump(2) + "\n");
  }
  if (!options.plot.empty()) {
    const auto traces = trace_solvers(chosen.front()->model, data.test.slice(0, kBatch).images);
    write_plot(options.plot, results, traces);
  }
}

}  // namespace stillpoint::app
