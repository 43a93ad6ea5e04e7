#pragma once

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

}  // namespace stillpoint::app
