#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "experiment.h"

// What experiments are made of.
namespace stillpoint::app {

inline constexpr const char* kFashion = "/usr/share/datasets/fashion-mnist";

template <class Model, class... Arguments>
Variant variant_of(std::string name, Arguments... arguments) {
  return {std::move(name),
          [=](std::int64_t /*width*/) -> NetworkPointer { return std::make_shared<Model>(arguments...); }};
}

/// Of a model that makes its own data: refuses to be told where they are.
std::function<Dataset(const std::filesystem::path&, c10::Device)> own_data(const std::string& model,
                                                                           Dataset (*make)(c10::Device));

}  // namespace stillpoint::app
