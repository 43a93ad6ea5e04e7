#include "run.h"

#include <torch/types.h>
#include <zlib.h>

namespace stillpoint::app {

std::uint32_t checksum_of(const Dataset& data) {
  uLong sum = 0;
  for (const auto& tensor : {data.train.inputs, data.train.targets, data.test.inputs, data.test.targets}) {
    const auto bytes = tensor.to(torch::kCPU).contiguous();
    sum = crc32_z(sum, static_cast<const Bytef*>(bytes.data_ptr()), bytes.nbytes());
  }
  return static_cast<std::uint32_t>(sum);
}

bool same_beginning(const Recipe& recipe, std::int64_t done, std::int64_t of, std::int64_t or_of) {
  for (std::int64_t epoch = 1; epoch <= done; ++epoch) {
    const auto at = static_cast<double>(epoch);
    if (recipe.rate(at, static_cast<double>(of)) != recipe.rate(at, static_cast<double>(or_of))) {
      return false;
    }
  }
  return true;
}

}  // namespace stillpoint::app
