#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "learner.h"
#include "policy.h"
#include "policy_step.h"

namespace stillpoint::app {

/// Learns to hold a pole upright, by steps in a trust region. A round plays 2,000 steps, moves the policy
/// once, and then fits the values to what was earned.
class TrpoLearner : public Learner {
 public:
  /// Draws the values' weights before it makes the policy, so that they are the same for each.
  TrpoLearner(const std::function<NetworkPointer()>& make_policy, const TrustRegion& region);

  Figures run_round() override;
  nlohmann::ordered_json results() override;
  std::int64_t parameters() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  /// The mean return of the episodes of each round.
  const std::vector<double>& mean_returns() const { return mean_returns_; }
  /// The angles of a demonstration, in degrees: before the first round, and now.
  const std::vector<double>& first_angles() const { return first_angles_; }
  std::vector<double> angles() const;

 private:
  void fit_values(const Experience& experience);

  TrustRegion region_;
  ValueNetwork value_;
  NetworkPointer policy_;
  std::vector<double> mean_returns_, first_angles_;
};

/// The mean return at which CartPole-v0 counts as solved.
inline constexpr double kSolvedReturn = 195;

}  // namespace stillpoint::app
