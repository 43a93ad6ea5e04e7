#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <cmath>

#include "ball_network.h"
#include "dataset.h"

namespace stillpoint::app {

// The first contact is after √(2 h / g); each flight between two is 2 r times as long as that, r² for the
// next, and so on.
Dataset make_contacts(c10::Device device) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{9});
  const auto make = [&](std::int64_t count) -> Examples {
    const auto heights = 2 + 10 * torch::rand({count, 1}, generator, torch::kDouble);
    const auto first = (2 * heights / BallNetwork::kGravity).sqrt();
    std::vector<at::Tensor> times;
    double factor = 1;
    for (std::int64_t k = 1; k <= BallNetwork::kContacts; ++k) {
      times.push_back(factor * first);
      factor += 2 * std::pow(BallNetwork::kRestitution, static_cast<double>(k));
    }
    return {heights.to(device, torch::kFloat), torch::cat(times, 1).to(device, torch::kFloat)};
  };
  auto train = make(200);
  return {std::move(train), make(50)};
}

}  // namespace stillpoint::app
