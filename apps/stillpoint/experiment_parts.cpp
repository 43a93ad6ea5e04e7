#include "experiment_parts.h"

#include <fmt/format.h>

#include "user_error.h"

namespace stillpoint::app {

std::function<Dataset(const std::filesystem::path&, c10::Device)> own_data(const std::string& model,
                                                                           Dataset (*make)(c10::Device)) {
  return [=](const std::filesystem::path& data, c10::Device device) {
    if (!data.empty()) {
      throw UserError(fmt::format("--data: --model {} makes its own data; leave --data out", model));
    }
    return make(device);
  };
}

}  // namespace stillpoint::app
