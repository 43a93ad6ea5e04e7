#pragma once

#include <torch/nn/modules/linear.h>

#include "network.h"
#include "stillpoint/optim/program_solution.h"

// Images [B, 784] → Linear(784, 600) – ReLU – Linear(600, 10) → y, and then shares of the classes, [B, 10],
// that sum to one.
namespace stillpoint::app {

/// softmax(y), which is never zero.
class ShareNetwork : public Network {
 public:
  ShareNetwork() : ShareNetwork(0) {}

  at::Tensor forward(const at::Tensor& images) override;
  at::Tensor penalty() override;

 protected:
  /// `pull` times the squared distance from y to the shares is added to the loss. At a corner a projection
  /// has no slope: without this a class that has lost its share of all images would never get it back.
  explicit ShareNetwork(double pull);
  virtual at::Tensor shares(const at::Tensor& y) { return y.softmax(1); }

  static constexpr double kPull = 0.1;

 private:
  double pull_;
  torch::nn::Linear encoder_, decoder_;
  at::Tensor apart_;
};

/// The nearest shares to y, by `optim::project_simplex`. (Martins, Astudillo 2016, From softmax to
/// sparsemax.)
class SimplexNetwork : public ShareNetwork {
 public:
  SimplexNetwork() : ShareNetwork(kPull) {}

 protected:
  at::Tensor shares(const at::Tensor& y) override;
};

/// The nearest of those that are 0.9 at most, by `optim::project_capped_simplex`. (Malaviya, Ferreira,
/// Martins 2018, constrained sparsemax.)
class BoundedSimplexNetwork : public ShareNetwork {
 public:
  BoundedSimplexNetwork() : ShareNetwork(kPull) {}

  static constexpr double kBound = 0.9;

 protected:
  at::Tensor shares(const at::Tensor& y) override;
};

/// The same with a bound for each class that is learned from there, by `quadratic_program`. (Amos, Kolter
/// 2017, OptNet.)
class LearnedBoundsNetwork : public ShareNetwork {
 public:
  LearnedBoundsNetwork();

  std::optional<SolveCost> cost() const override;

 protected:
  at::Tensor shares(const at::Tensor& y) override;

 private:
  at::Tensor logits_;  // of the bounds, which so stay between 0 and 1
  optim::ProgramStats stats_;
};

}  // namespace stillpoint::app
