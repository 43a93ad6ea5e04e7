#include "study_checkpoint.h"

#include <fmt/format.h>
#include <torch/serialize.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <sstream>

#include "checkpoint_file.h"
#include "run_parts.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

using torch::serialize::InputArchive;
using torch::serialize::OutputArchive;

/// A row for each round: its seconds, then its figures.
at::Tensor table_of(const StudiedVariant& variant) {
  std::vector<at::Tensor> rows;
  for (std::size_t i = 0; i < variant.rounds.size(); ++i) {
    std::vector<double> row{variant.seconds[i]};
    for (const auto& [name, number] : variant.rounds[i]) {
      row.push_back(number);
    }
    rows.push_back(torch::tensor(row, torch::kDouble));
  }
  return rows.empty() ? torch::empty({0, 0}, torch::kDouble) : torch::stack(rows);
}

/// The inverse, with the names in lines.
void read_table(StudiedVariant& variant, const at::Tensor& table, const std::string& names) {
  for (std::int64_t round = 0; round < table.size(0); ++round) {
    const auto row = table[round];
    variant.seconds.push_back(row[0].item<double>());
    variant.rounds.emplace_back();
    std::istringstream lines(names);
    std::string name;
    for (std::int64_t i = 1; i < row.size(0); ++i) {
      std::getline(lines, name);
      variant.rounds.back().emplace_back(name, row[i].item<double>());
    }
  }
}

void write_learner(OutputArchive& archive, const StudiedVariant& variant) {
  OutputArchive learner, nested;
  variant.learner->save(learner);
  std::string names;
  for (const auto& [name, number] : variant.rounds.empty() ? Figures{} : variant.rounds.front()) {
    names += name + "\n";
  }
  nested.write("learner", learner);
  nested.write("checksum", c10::IValue(static_cast<std::int64_t>(variant.learner->checksum())));
  nested.write("names", c10::IValue(names));
  nested.write("rounds", table_of(variant));
  nested.write("peak_bytes", c10::IValue(variant.peak_bytes));
  archive.write(variant.name, nested);
}

StudiedVariant new_learner(const StudyRun& run, const std::string& name) {
  const auto& variant = find_variant(run.study->name, run.study->variants, name);
  torch::manual_seed(run.seed);
  return {.name = name, .learner = variant.make(run.data)};
}

/// What a checkpoint says of a run but for what was learned: the variants have names alone.
StudyRun read_study(InputArchive& archive, const Study& study) {
  TORCH_CHECK(read_value(archive, "model").toStringRef() == study.name, "another model");
  StudyRun run{.study = &study,
               .seed = std::stoull(read_value(archive, "seed").toStringRef()),
               .rounds = read_value(archive, "epochs").toInt(),
               .data = read_value(archive, "data").toStringRef()};
  for (const auto& name : names_of(study.variants)) {
    InputArchive nested;
    if (archive.try_read(name, nested)) {
      run.variants.push_back({.name = name, .learner = nullptr});
    }
  }
  TORCH_CHECK(!run.variants.empty(), "no variant");
  return run;
}

/// Gives a learner back what it has learned. Throws UserError if its examples are others than they were.
void read_learner(InputArchive& archive, const TrainOptions& options, const StudyRun& run,
                  StudiedVariant& variant) {
  InputArchive nested, learner;
  archive.read(variant.name, nested);
  nested.read("learner", learner);
  if (read_value(nested, "checksum").toInt() != static_cast<std::int64_t>(variant.learner->checksum())) {
    throw UserError(fmt::format("{} was trained on other examples than those of {}: name its own by --data",
                                options.load.string(), run.data.string()));
  }
  variant.learner->load(learner);
  at::Tensor rounds;
  nested.read("rounds", rounds);
  read_table(variant, rounds, read_value(nested, "names").toStringRef());
  variant.peak_bytes = read_value(nested, "peak_bytes").toInt();
}

std::filesystem::path absolute_or_empty(const std::filesystem::path& path) {
  return path.empty() ? path : std::filesystem::absolute(path);
}

StudyRun start_study(const Study& study, const TrainOptions& options) {
  StudyRun run{.study = &study,
               .seed = options.seed.value_or(1),
               .rounds = study.rounds,
               .data = absolute_or_empty(options.data.empty() ? study.data : options.data)};
  for (const auto& name : options.variants.empty() ? names_of(study.variants) : options.variants) {
    run.variants.push_back(new_learner(run, name));
  }
  return run;
}

StudyRun load_study(const Study& study, const TrainOptions& options) {
  const auto& path = options.load;
  auto run =
      read_checkpoint(path, torch::kCPU, [&](InputArchive& archive) { return read_study(archive, study); });
  refuse_other(options, "--seed", options.seed.value_or(0), options.seed.has_value(), run.seed);
  refuse_other(options, "--model", options.model, !options.model.empty(), study.name);
  if (!options.data.empty()) {
    run.data = absolute_or_empty(options.data);
  }
  for (auto& variant : run.variants) {
    variant = new_learner(run, variant.name);
  }
  read_checkpoint(path, torch::kCPU, [&](InputArchive& archive) {
    for (auto& variant : run.variants) {
      read_learner(archive, options, run, variant);
    }
  });
  return run;
}

}  // namespace

void save_study(const std::filesystem::path& path, const StudyRun& run) {
  OutputArchive archive;
  archive.write("model", c10::IValue(run.study->name));
  archive.write("seed", c10::IValue(std::to_string(run.seed)));  // LibTorch has no unsigned numbers
  archive.write("epochs", c10::IValue(run.rounds));
  archive.write("data", c10::IValue(run.data.string()));
  for (const auto& variant : run.variants) {
    write_learner(archive, variant);
  }
  write_checkpoint(path, archive);
}

StudyRun start_or_load(const Study& study, const TrainOptions& options) {
  return options.load.empty() ? start_study(study, options) : load_study(study, options);
}

}  // namespace stillpoint::app
