#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "network.h"
#include "stillpoint/nn/neural_ode.h"

namespace stillpoint::app {

/// dy/dt = W₂ tanh(W₁ y³ + b₁) + b₂ for y [B, 2] and 50 units, with weights drawn from N(0, 0.1²). (The
/// example of torchdiffeq; Chen et al. 2018.)
class SpiralFieldImpl : public torch::nn::Cloneable<SpiralFieldImpl> {
 public:
  SpiralFieldImpl() { reset(); }
  void reset() override;
  at::Tensor forward(const at::Tensor& y);

  std::int64_t calls = 0;

 private:
  torch::nn::Linear inner_ = nullptr, outer_ = nullptr;
};
TORCH_MODULE(SpiralField);

/// Prey and predators y [B, 2]: (a y₁ − b y₁y₂, d y₁y₂ − c y₂), with the logarithms of the four rates as the
/// only parameters. They begin at rates of 1.
class LotkaVolterraFieldImpl : public torch::nn::Cloneable<LotkaVolterraFieldImpl> {
 public:
  LotkaVolterraFieldImpl() { reset(); }
  void reset() override;
  at::Tensor forward(const at::Tensor& y);

  std::int64_t calls = 0;

 private:
  at::Tensor log_rates_;
};
TORCH_MODULE(LotkaVolterraField);

/// The states that follow from starts [B, D], at regular times: ten in training, all of them in a test.
/// Outputs [B, T, D].
template <class Field>
class TrajectoryNetwork : public Network {
 public:
  /// A test has `times` of them, `step` apart.
  TrajectoryNetwork(double step, std::int64_t times, const OdeintOptions& options)
      : step_(step), times_(times), ode_(field_, options) {
    register_module("ode", ode_);
  }

  at::Tensor forward(const at::Tensor& starts) override {
    const std::int64_t times = is_training() ? kTimesInTraining : times_;
    std::vector<double> t;
    for (std::int64_t i = 0; i < times; ++i) t.push_back(step_ * static_cast<double>(i));
    at::Tensor y = ode_->trajectory(starts, t);
    calls_ = field_->calls;
    return y;
  }

  std::optional<SolveCost> cost() const override {
    SolveCost cost{.forward = static_cast<double>(ode_->stats().evaluations)};
    if (field_->calls > calls_) cost.backward = static_cast<double>(field_->calls - calls_);
    for (const auto status : ode_->stats().status) cost.solved.push_back(status == ode::Status::Finished);
    return cost;
  }

  void solve_exactly(const FixedPointOptions& /*reference*/) override {
    ode_->options.tolerance = {.relative = 1e-11, .absolute = 1e-13};
    ode_->options.gradient = ode::Discrete{};
  }

  static constexpr std::int64_t kTimesInTraining = 10;

 private:
  double step_;
  std::int64_t times_;
  Field field_;
  nn::NeuralOde ode_;
  std::int64_t calls_ = 0;  // until the end of the latest forward pass
};

}  // namespace stillpoint::app
