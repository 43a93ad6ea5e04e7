#pragma once

#include <torch/optim/adam.h>

#include <cstdint>
#include <memory>
#include <string>

#include "critics.h"
#include "learner.h"
#include "point_clouds.h"

namespace stillpoint::app {

enum class CriticKind : std::uint8_t { Explicit, Equilibrium };

/// A Wasserstein generative adversarial network with gradient penalty. A critic D learns to tell points of a
/// cloud from those that a generator G makes of random numbers. The penalty λ (‖∇D‖ − 1)², between real and
/// generated points, keeps its slope near 1; its gradient in the weights is a second derivative of D. G
/// learns to be told apart less. (Gulrajani et al. 2017, Improved Training of Wasserstein GANs, algorithm 1.)
class AdversarialLearner : public Learner {
 public:
  static constexpr std::int64_t kStepsOfARound = 100;  ///< of the generator

  AdversarialLearner(const PointCloud& cloud, CriticKind kind);

  /// Each step of the generator comes after five of the critic.
  Figures run_round() override;
  nlohmann::ordered_json results() override;
  std::int64_t parameters() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  const PointCloud& cloud() const { return cloud_; }
  /// Points [count, 2] that the generator makes.
  at::Tensor generate(std::int64_t count);
  /// D at points [B, 2], without a gradient.
  at::Tensor judge(const at::Tensor& points);

 private:
  /// Sums over the steps of a round.
  struct Tally {
    double distance = 0, penalty = 0, iterations = 0, backward_iterations = 0, unsolved = 0;
    std::int64_t steps = 0;
  };

  void improve_critic(Tally& tally);
  void improve_generator();
  at::Tensor penalty(const at::Tensor& real, const at::Tensor& fake, Tally& tally);

  PointCloud cloud_;
  torch::nn::Sequential generator_;
  std::shared_ptr<Critic> critic_;
  torch::optim::Adam generator_optimizer_, critic_optimizer_;
};

}  // namespace stillpoint::app
