#include "ball_network.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

namespace stillpoint::app {

BallNetwork::BallNetwork()
    : options_{.tolerance = {.relative = 1e-5, .absolute = 1e-6}, .on_failure = OnFailure::Ignore},
      log_gravity_(register_parameter("log_gravity", torch::full({}, std::log(5.0), torch::kFloat))),
      log_restitution_(register_parameter("log_restitution", torch::full({}, std::log(0.5), torch::kFloat))) {
}

at::Tensor BallNetwork::forward(const at::Tensor& heights) {
  const auto gravity = log_gravity_.exp(), restitution = log_restitution_.exp();
  const auto f = [this, gravity](const at::Tensor& y) {
    ++calls_;
    return torch::stack({y.select(1, 1), -gravity.expand({y.size(0)})}, 1);
  };
  auto options = options_;
  options.events = {{.when = [](const at::Tensor& y) { return y.select(1, 0); },
                     .crossing = ode::Crossing::Falling,
                     .terminal = kContacts,
                     .then =
                         [restitution](const at::Tensor& y) {
                           return torch::stack({y.select(1, 0), -restitution * y.select(1, 1)}, 1);
                         }}};
  constexpr double long_enough = 1000;
  const auto start = torch::cat({heights, torch::zeros_like(heights)}, 1);
  auto solution = odeint(f, start, {0, long_enough}, options);
  stats_ = std::move(solution.stats);
  calls_before_ = calls_;
  TORCH_CHECK(solution.events.time.size(1) == kContacts, "a ball did not touch the ground ", kContacts,
              " times");
  return solution.events.time.to(heights.scalar_type());
}

std::optional<SolveCost> BallNetwork::cost() const {
  SolveCost cost{.forward = static_cast<double>(stats_.evaluations)};
  if (calls_ > calls_before_) {
    cost.backward = static_cast<double>(calls_ - calls_before_);
  }
  for (const auto status : stats_.status) {
    cost.solved.push_back(status == ode::Status::Event);
  }
  return cost;
}

void BallNetwork::solve_exactly(const FixedPointOptions& /*reference*/) {
  options_.tolerance = {.relative = 1e-11, .absolute = 1e-13};
}

std::optional<double> BallNetwork::parameter_error() const {
  const auto relative = [](const at::Tensor& logarithm, double truth) {
    return std::abs(std::exp(logarithm.item<double>()) / truth - 1);
  };
  return std::max(relative(log_gravity_, kGravity), relative(log_restitution_, kRestitution));
}

}  // namespace stillpoint::app
