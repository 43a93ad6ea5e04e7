#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include "dataset.h"
#include "stillpoint/ode/odeint.h"
#include "trajectory_network.h"

namespace stillpoint::app {
namespace {

/// A trajectory [T, D] in pieces: each start with the states that follow it. The test is the whole of it.
Dataset pieces_of(const at::Tensor& trajectory, c10::Device device) {
  constexpr auto length = TrajectoryNetwork<SpiralField>::kTimesInTraining;
  const auto y = trajectory.to(device, torch::kFloat);
  const auto windows = y.unfold(0, length, 1).transpose(1, 2).contiguous();
  return {.train = {windows.select(1, 0).contiguous(), windows}, .test = {y.narrow(0, 0, 1), y.unsqueeze(0)}};
}

at::Tensor solve(const ode::VectorField& f, const std::vector<double>& start, double end,
                 std::int64_t times) {
  const torch::NoGradGuard no_grad;
  return odeint(f, torch::tensor(start, torch::kDouble).unsqueeze(0),
                torch::linspace(0, end, times, torch::kDouble),
                {.tolerance = {.relative = 1e-10, .absolute = 1e-12}})
      .value[0];
}

}  // namespace

Dataset make_spiral(c10::Device device) {
  const auto a = torch::tensor({{-0.1, 2.0}, {-2.0, -0.1}}, torch::kDouble);
  return pieces_of(
      solve([a](const at::Tensor& y) { return torch::mm(y * y * y, a); }, {2, 0}, kSpiralEnd, kSpiralTimes),
      device);
}

Dataset make_lotka_volterra(c10::Device device) {
  const auto f = [](const at::Tensor& y) {
    const auto prey = y.select(1, 0), predators = y.select(1, 1);
    const auto met = prey * predators;
    return torch::stack({1.5 * prey - met, met - 3 * predators}, 1);
  };
  return pieces_of(solve(f, {1, 1}, kLotkaVolterraEnd, kLotkaVolterraTimes), device);
}

}  // namespace stillpoint::app
