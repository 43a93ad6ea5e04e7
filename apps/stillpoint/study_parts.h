#pragma once

#include <torch/nn/module.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "learner.h"

// What studies are made of.
namespace stillpoint::app {

/// Of a learner that reads no files: throws the UserError that it was told of one.
void refuse_data(const std::filesystem::path& data);

/// A variant whose learner is made of `arguments`, and reads no files.
template <class Kind, class... Arguments>
StudyVariant learner_of(std::string name, Arguments... arguments) {
  return {std::move(name), [=](const std::filesystem::path& data) -> std::unique_ptr<Learner> {
            refuse_data(data);
            return std::make_unique<Kind>(arguments...);
          }};
}

/// Numbers in the parameters.
std::int64_t numbers_in(const torch::nn::Module& module);

/// A module or an optimizer as a part of an archive.
template <class Saved>
void write_part(torch::serialize::OutputArchive& archive, const std::string& name, const Saved& part) {
  torch::serialize::OutputArchive nested;
  part.save(nested);
  archive.write(name, nested);
}

template <class Loaded>
void read_part(torch::serialize::InputArchive& archive, const std::string& name, Loaded& part) {
  torch::serialize::InputArchive nested;
  archive.read(name, nested);
  part.load(nested);
}

}  // namespace stillpoint::app
