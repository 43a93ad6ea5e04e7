#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include "dataset.h"

namespace stillpoint::app {

Dataset make_signals(c10::Device device) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{20170301});
  constexpr std::int64_t most_pieces = 9, least_height = 10, most_height = 100;
  constexpr double noise = 10;
  const auto make = [&](std::int64_t count) -> Examples {
    const auto pieces = torch::randint(1, most_pieces + 1, {count, 1}, generator, torch::kLong);
    const auto rank = torch::rand({count, kSignalLength - 2}, generator, torch::kDouble)
                          .argsort(1, false)
                          .argsort(1, false);
    // The first and the last place are no breaks.
    const auto breaks = torch::constant_pad_nd((rank < pieces - 1).to(torch::kLong), {1, 1});
    const auto heights =
        torch::randint(least_height, most_height + 1, {count, most_pieces}, generator, torch::kFloat);
    const auto clean = heights.gather(1, breaks.cumsum(1));
    const auto noisy = clean + noise * torch::randn(clean.sizes(), generator, torch::kFloat);
    return {noisy.to(device), clean.to(device)};
  };
  auto train = make(9000);
  return {std::move(train), make(1000)};
}

}  // namespace stillpoint::app
