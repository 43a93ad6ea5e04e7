#pragma once

#include <torch/optim/adam.h>

#include <cstdint>

#include "learner.h"
#include "plane_densities.h"
#include "stillpoint/nn/continuous_flow.h"

namespace stillpoint::app {

/// How a flow is trained.
struct FlowRecipe {
  nn::Trace trace = nn::Trace::Exact;
  double penalty = 0;  ///< the weight of the kinetic energy and of the Jacobian's square
};

/// A continuous normalizing flow that learns a density in the plane from its samples. Its field has three
/// hidden layers of 64 tanh units, which the time gates. (Grathwohl et al. 2019, FFJORD, section 4.1; the
/// penalties of Finlay et al. 2020, How to Train Your Neural ODE.)
class FlowLearner : public Learner {
 public:
  static constexpr std::int64_t kStepsOfARound = 100;

  FlowLearner(const PlaneDensity& density, const FlowRecipe& recipe);

  Figures run_round() override;
  nlohmann::ordered_json results() override;
  std::int64_t parameters() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  const PlaneDensity& density() const { return density_; }
  /// The log-density at points [B, 2] by the exact trace, without a gradient.
  at::Tensor log_prob(const at::Tensor& points);
  /// Where points [B, 2] of the base are at equal steps from the base to the data: [B, count, 2].
  at::Tensor way_of(const at::Tensor& points, std::int64_t count);

 private:
  PlaneDensity density_;
  FlowRecipe recipe_;
  nn::ContinuousFlow flow_;
  torch::optim::Adam optimizer_;
};

}  // namespace stillpoint::app
