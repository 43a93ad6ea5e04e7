#pragma once

#include <cstdint>

#include "network.h"
#include "stillpoint/ode/odeint.h"

namespace stillpoint::app {

/// Heights [B, 1] → the times at which balls that are dropped from them touch the ground, [B, 4]: events of
/// y'' = −g, after each of which the speed is turned round and multiplied by the restitution. The only
/// parameters are the logarithms of g, which begins at 5, and of the restitution, at 0.5.
class BallNetwork : public Network {
 public:
  BallNetwork();

  at::Tensor forward(const at::Tensor& heights) override;
  std::optional<SolveCost> cost() const override;
  void solve_exactly(const FixedPointOptions& reference) override;
  std::optional<double> parameter_error() const override;

  static constexpr std::int64_t kContacts = 4;
  static constexpr double kGravity = 9.8;
  static constexpr double kRestitution = 0.75;

 private:
  OdeintOptions options_;
  at::Tensor log_gravity_, log_restitution_;
  ode::Stats stats_;
  std::int64_t calls_ = 0, calls_before_ = 0;
};

}  // namespace stillpoint::app
