#include "dataset.h"

#include <algorithm>

namespace stillpoint::app {

Examples Examples::select(const at::Tensor& indices) const {
  return {inputs.index_select(0, indices), targets.index_select(0, indices)};
}

Examples Examples::slice(std::int64_t begin, std::int64_t count) const {
  const auto end = std::min(begin + count, size());
  return {inputs.slice(0, begin, end), targets.slice(0, begin, end)};
}

std::vector<double> numbers_of(const at::Tensor& t) {
  const auto numbers = t.to(at::kCPU, at::kDouble).contiguous();
  return {numbers.data_ptr<double>(), numbers.data_ptr<double>() + numbers.numel()};
}

}  // namespace stillpoint::app
