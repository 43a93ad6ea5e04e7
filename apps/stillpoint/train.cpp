#include "train.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <thread>

#include "checkpoint.h"
#include "checkpoint_file.h"
#include "console.h"
#include "files.h"
#include "gradient_error.h"
#include "interrupt.h"
#include "outputs.h"
#include "pictures.h"
#include "report.h"
#include "resume.h"
#include "run_parts.h"
#include "studies.h"
#include "study_run.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

/// More threads than processors would wait for each other, for minutes where there are many.
void use_threads(int wanted) {
  const auto processors = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
  if (wanted > processors) {
    complain(fmt::format("--threads {}: this machine has {} processors; going on with {} threads", wanted,
                         processors, processors));
  }
  at::set_num_threads(std::min(wanted, processors));
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

bool to_train(const TrainedVariant& variant, std::int64_t epochs) {
  return static_cast<std::int64_t>(variant.epochs.size()) < epochs;
}

void save(const TrainOptions& options, const Checkpoint& models) {
  if (!options.save.empty()) {
    save_checkpoint(options.save, models);
  }
}

void announce(const RunHeader& run, Console& console) {
  console.line(run.experiment->description);
  console.line(fmt::format("{} training and {} test examples{}; seed {}", run.train_examples,
                           run.test_examples, run.data.empty() ? "" : " from " + run.data.string(),
                           run.seed));
}

void train_variant(const TrainOptions& options, const Trainer& trainer, Checkpoint& models,
                   TrainedVariant& variant, std::int64_t epochs, Console& console) {
  while (to_train(variant, epochs)) {
    const auto number = static_cast<std::int64_t>(variant.epochs.size()) + 1;
    variant.epochs.push_back(trainer.run_epoch(variant, epochs, [&](double fraction, const Pass& so_far) {
      console.progress(variant.name, number, epochs, fraction, so_far);
    }));
    save(options, models);
    console.epoch(models.run.experiment->task, variant.name, variant.epochs.back(), epochs);
  }
}

VariantResult measure(const Experiment& experiment, const TrainedVariant& variant, const Trainer& trainer,
                      const Dataset& data) {
  const EndAtOnce now;  // what was trained is saved
  auto result = summarize(variant.name, experiment.task, variant.epochs, trainer.test(*variant.network),
                          experiment.counts_evaluations);
  for (const auto& parameter : variant.network->parameters()) {
    result.parameters += parameter.numel();
  }
  result.parameter_error = variant.network->parameter_error();
  result.peak_bytes = trainer.step_bytes(variant);
  result.gradient_error = gradient_error(experiment, variant, data.test.slice(0, experiment.measured));
  return result;
}

std::string draw(const TrainOptions& options, const RunHeader& run,
                 const std::vector<TrainedVariant*>& chosen, const std::vector<VariantResult>& results,
                 const Dataset& data) {
  const EndAtOnce now;
  return draw_plot(options.plot, picture_of(run, chosen, results, data));
}

void train_experiment(const TrainOptions& options, c10::Device device) {
  auto models = start_or_load(options, device);
  const auto& run = models.run;
  const auto& experiment = *run.experiment;
  const auto chosen = choose(models.variants, options.variants);
  const auto epochs = plan_epochs(options, models, chosen);
  check_outputs(options, run.data);
  const auto data = load_examples(options, models.run, device);
  save(options, models);

  Console console;
  announce(run, console);
  if (std::ranges::any_of(chosen, [&](const auto* variant) { return to_train(*variant, epochs); })) {
    console.epoch_header();
  }
  const Trainer trainer(experiment, data, run.seed);
  std::vector<VariantResult> results;
  std::vector<TrainedVariant*> finished;
  do_each({[&] {
             for (auto* variant : chosen) {
               try {
                 train_variant(options, trainer, models, *variant, epochs, console);
                 results.push_back(measure(experiment, *variant, trainer, data));
                 finished.push_back(variant);
               } catch (const std::exception&) {
                 fail_with(variant->name, variant->epochs.size(), "epochs");
               }
             }
           },
           [&] {
             if (!results.empty()) {
               console.summary(experiment.task, results);
             }
           },
           [&] {
             if (!options.report.empty() && !results.empty()) {
               write_file(options.report, make_report(run, results, device.str(), options.command));
             }
           },
           [&] {
             if (!options.plot.empty() && !results.empty()) {
               write_file(options.plot, draw(options, run, finished, results, data));
             }
           }});
}

}  // namespace

void train(const TrainOptions& options) {
  use_threads(options.threads);
  const auto device = find_device(options.device);
  const auto* study = find_study(options.load.empty() ? options.model : model_of_checkpoint(options.load));
  study != nullptr ? train_study(*study, options, device) : train_experiment(options, device);
}

}  // namespace stillpoint::app
