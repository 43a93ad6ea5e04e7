#include "checkpoint.h"

#include <torch/serialize.h>
#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "checkpoint_file.h"
#include "report.h"

namespace stillpoint::app {
namespace {

void write_run(torch::serialize::OutputArchive& archive, const RunHeader& run) {
  archive.write("model", c10::IValue(run.experiment->name));
  archive.write("width", c10::IValue(run.experiment->width));
  archive.write("seed", c10::IValue(std::to_string(run.seed)));  // LibTorch has no unsigned numbers
  archive.write("epochs", c10::IValue(run.epochs));
  archive.write("data", c10::IValue(run.data.string()));
  archive.write("train_examples", c10::IValue(run.train_examples));
  archive.write("test_examples", c10::IValue(run.test_examples));
  archive.write("checksum", c10::IValue(static_cast<std::int64_t>(run.checksum)));
}

RunHeader read_run(torch::serialize::InputArchive& archive) {
  return {.experiment =
              &experiment(read_value(archive, "model").toStringRef(), read_value(archive, "width").toInt()),
          .seed = std::stoull(read_value(archive, "seed").toStringRef()),
          .epochs = read_value(archive, "epochs").toInt(),
          .data = read_value(archive, "data").toStringRef(),
          .train_examples = read_value(archive, "train_examples").toInt(),
          .test_examples = read_value(archive, "test_examples").toInt(),
          .checksum = static_cast<std::uint32_t>(read_value(archive, "checksum").toInt())};
}

/// LibTorch takes the shapes it finds: these must be the network's.
void check_shapes(const Network& expected, const Network& loaded) {
  for (const auto& parameter : expected.named_parameters()) {
    const auto found = loaded.named_parameters()[parameter.key()];
    TORCH_CHECK(
        found.sizes() == parameter.value().sizes() && found.scalar_type() == parameter.value().scalar_type(),
        parameter.key(), " is ", found.toString(), found.sizes());
  }
}

TrainedVariant read_variant(torch::serialize::InputArchive& archive, const Experiment& experiment,
                            const std::string& name, c10::Device device) {
  torch::serialize::InputArchive weights, state;
  archive.read("weights", weights);
  archive.read("optimizer", state);
  auto trained = new_variant(experiment, name, 0);
  trained.network->load(weights);
  check_shapes(*experiment.variant(name).make(experiment.width), *trained.network);
  trained.network->to(device);
  trained.optimizer->load(state);
  trained.epochs = epochs_from_json(nlohmann::json::parse(read_value(archive, "epochs").toStringRef()));
  return trained;
}

Checkpoint parse(torch::serialize::InputArchive& archive, c10::Device device) {
  Checkpoint checkpoint{.run = read_run(archive), .variants = {}};
  const auto& experiment = *checkpoint.run.experiment;
  for (const auto& name : experiment.variant_names()) {
    torch::serialize::InputArchive nested;
    if (archive.try_read(name, nested)) {
      checkpoint.variants.push_back(read_variant(nested, experiment, name, device));
    }
  }
  TORCH_CHECK(!checkpoint.variants.empty(), "no variant");
  return checkpoint;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  torch::serialize::OutputArchive archive;
  write_run(archive, checkpoint.run);
  for (const auto& variant : checkpoint.variants) {
    torch::serialize::OutputArchive weights, state, nested;
    variant.network->save(weights);
    variant.optimizer->save(state);
    nested.write("weights", weights);
    nested.write("optimizer", state);
    nested.write("epochs", c10::IValue(epochs_to_json(variant.epochs).dump()));
    archive.write(variant.name, nested);
  }
  write_checkpoint(path, archive);
}

Checkpoint load_checkpoint(const std::filesystem::path& path, c10::Device device) {
  return read_checkpoint(path, device,
                         [&](torch::serialize::InputArchive& archive) { return parse(archive, device); });
}

}  // namespace stillpoint::app
