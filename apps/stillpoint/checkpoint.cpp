#include "checkpoint.h"

#include <fmt/format.h>
#include <torch/serialize.h>
#include <torch/types.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "files.h"
#include "report.h"
#include "user_error.h"
#include "variants.h"

namespace stillpoint::app {
namespace {

constexpr const char* kFormat = "stillpoint checkpoint 1";

std::string read_text(torch::serialize::InputArchive& archive, const std::string& key) {
  c10::IValue value;
  archive.read(key, value);
  return value.toStringRef();
}

/// LibTorch takes the shapes it finds: these must be the model's.
void check_shapes(const Classifier& expected, const Classifier& loaded) {
  for (const auto& parameter : expected->named_parameters()) {
    const auto found = loaded->named_parameters()[parameter.key()];
    TORCH_CHECK(
        found.sizes() == parameter.value().sizes() && found.scalar_type() == parameter.value().scalar_type(),
        parameter.key(), " is ", found.toString(), found.sizes());
  }
}

TrainedVariant read_variant(torch::serialize::InputArchive& archive, const Variant& variant) {
  torch::serialize::InputArchive weights;
  archive.read("weights", weights);
  TrainedVariant trained{.name = variant.name, .model = Classifier(variant.options), .epochs = {}};
  const Classifier expected(variant.options);
  trained.model->load(weights);
  check_shapes(expected, trained.model);
  trained.epochs = epochs_from_json(nlohmann::json::parse(read_text(archive, "epochs")));
  return trained;
}

Checkpoint parse(std::istream& stream) {
  torch::serialize::InputArchive archive;
  archive.load_from(stream, torch::kCPU);
  TORCH_CHECK(read_text(archive, "format") == kFormat, "another format");
  Checkpoint checkpoint;
  checkpoint.seed = std::stoull(read_text(archive, "seed"));
  for (const auto& variant : variants()) {
    torch::serialize::InputArchive nested;
    if (archive.try_read(variant.name, nested)) {
      checkpoint.variants.push_back(read_variant(nested, variant));
    }
  }
  TORCH_CHECK(!checkpoint.variants.empty(), "no variant");
  return checkpoint;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  torch::serialize::OutputArchive archive;
  archive.write("format", c10::IValue(kFormat));
  archive.write("seed", c10::IValue(std::to_string(checkpoint.seed)));
  for (const auto& variant : checkpoint.variants) {
    torch::serialize::OutputArchive weights, nested;
    variant.model->save(weights);
    nested.write("weights", weights);
    nested.write("epochs", c10::IValue(epochs_to_json(variant.epochs).dump()));
    archive.write(variant.name, nested);
  }
  std::ostringstream bytes;
  archive.save_to(bytes);
  write_file(path, bytes.str());
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  std::istringstream bytes(read_file(path));
  try {
    return parse(bytes);
  } catch (const std::exception&) {
    throw UserError(fmt::format(
        "{} is not a checkpoint that can be read, or is damaged: name one that --save wrote", path.string()));
  }
}

}  // namespace stillpoint::app
