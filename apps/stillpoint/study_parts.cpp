#include "study_parts.h"

#include "user_error.h"

namespace stillpoint::app {

void refuse_data(const std::filesystem::path& data) {
  if (!data.empty()) {
    throw UserError("--data: this model makes its own data; leave --data out");
  }
}

std::int64_t numbers_in(const torch::nn::Module& module) {
  std::int64_t sum = 0;
  for (const auto& parameter : module.parameters()) {
    sum += parameter.numel();
  }
  return sum;
}

}  // namespace stillpoint::app
