#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include "dataset.h"

namespace stillpoint::app {

Dataset make_curve(c10::Device device) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{20210618});
  const auto make = [&](std::int64_t count) -> Examples {
    const auto x = 4 * torch::rand({count, 1}, generator, torch::kFloat) - 2;
    const auto noise = 0.05 * torch::randn({count, 1}, generator, torch::kFloat);
    const auto y = 1.5 * x.pow(3) + x.square() - 5 * x + 2 * x.sin() - 3 + noise;
    return {x.to(device), y.to(device)};
  };
  auto train = make(4096);
  return {std::move(train), make(1000)};
}

}  // namespace stillpoint::app
