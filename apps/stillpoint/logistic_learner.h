#pragma once

#include <ATen/core/Tensor.h>
#include <torch/optim/adam.h>
#include <torch/optim/lbfgs.h>

#include <cstdint>
#include <filesystem>

#include "dataset.h"
#include "learner.h"
#include "stillpoint/nn/newton_cg.h"

namespace stillpoint::app {

/// Logistic regression on images: the mean cross entropy, and ½ · 1e-4 · ‖W‖². A round lasts until so many
/// passes over the training images are made. A pass is an evaluation of the loss on all of them, with its
/// gradient or without, or a product with its Hessian.
class LogisticLearner : public Learner {
 public:
  static constexpr double kPassesOfARound = 10;
  static constexpr double kDecay = 1e-4;

  explicit LogisticLearner(Dataset data);

  Figures run_round() override;
  nlohmann::ordered_json results() override;
  std::int64_t parameters() const override { return weight.numel() + bias.numel(); }
  std::uint32_t checksum() const override { return checksum_; }
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 protected:
  /// Some steps, at the cost of the passes that are returned.
  virtual double advance() = 0;
  virtual const torch::optim::Optimizer& optimizer() const = 0;
  torch::optim::Optimizer& optimizer() {
    return const_cast<torch::optim::Optimizer&>(const_cast<const LogisticLearner*>(this)->optimizer());
  }

  /// On all training images.
  at::Tensor loss() const { return loss_of(data.train); }
  at::Tensor loss_of(const Examples& examples) const;

  Dataset data;
  at::Tensor weight, bias;

 private:
  Figures figures() const;

  std::uint32_t checksum_;
  double passes_ = 0;
  std::int64_t rounds_ = 0;
};

class NewtonCgLogistic : public LogisticLearner {
 public:
  explicit NewtonCgLogistic(Dataset data);

 protected:
  double advance() override;
  const torch::optim::Optimizer& optimizer() const override { return optimizer_; }

 private:
  nn::NewtonCg optimizer_;
};

/// LibTorch's own, with its line search for the strong Wolfe conditions.
class LbfgsLogistic : public LogisticLearner {
 public:
  explicit LbfgsLogistic(Dataset data);

 protected:
  double advance() override;
  const torch::optim::Optimizer& optimizer() const override { return optimizer_; }

 private:
  torch::optim::LBFGS optimizer_;
};

/// In batches of 100.
class AdamLogistic : public LogisticLearner {
 public:
  explicit AdamLogistic(Dataset data);

 protected:
  double advance() override;
  const torch::optim::Optimizer& optimizer() const override { return optimizer_; }

 private:
  torch::optim::Adam optimizer_;
};

}  // namespace stillpoint::app
