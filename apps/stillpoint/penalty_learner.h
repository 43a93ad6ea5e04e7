#pragma once

#include <ATen/core/Tensor.h>
#include <torch/optim/adam.h>

#include <cstdint>
#include <vector>

#include "dataset.h"
#include "learner.h"
#include "penalized_fit.h"

namespace stillpoint::app {

/// Images for fitting, for choosing penalties and for judging what was chosen: [N, 197] double, the means of
/// 2 x 2 pixels less those of the first images, and a one; and labels or, for squares, a one in ten zeros.
struct PenaltyData {
  Examples train, validation, test;
  at::Tensor test_labels;
  std::uint32_t checksum = 0;
};
inline constexpr std::int64_t kPenaltyFeatures = 196, kTrained = 500, kValidated = 2500;

/// The first 500 training images, the next 2500, and the test images.
PenaltyData penalty_data(FitLoss loss, const Dataset& images);

/// Looks for penalties with which a linear model, fitted to few images, has a small loss on others. A round
/// is one fit. What is told is that of the best penalties so far.
class PenaltyLearner : public Learner {
 public:
  PenaltyLearner(FitLoss loss, PenaltyData data);

  Figures run_round() override;
  nlohmann::ordered_json results() override;
  std::uint32_t checksum() const override { return data.checksum; }
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  /// The best so far, one for each feature.
  std::vector<double> penalties() const;

 protected:
  /// The logarithms of the penalties to try next, [196] or [1].
  virtual at::Tensor propose() = 0;
  /// What came of them.
  virtual void learn(const at::Tensor& /*validation_loss*/) {}

  const FitLoss loss;
  PenaltyData data;

 private:
  double mean_loss(const at::Tensor& weights, const Examples& examples) const;

  at::Tensor start_;         // the last fit
  at::Tensor best_weights_;  // [197, 10]
  at::Tensor best_logarithms_;
  double best_loss_;
  double last_loss_;
  std::int64_t fits_ = 0;
};

/// One penalty: 10⁻³ to 10⁵ in ever finer steps, the ends of the range first.
class GridLearner : public PenaltyLearner {
 public:
  using PenaltyLearner::PenaltyLearner;
  std::int64_t parameters() const override { return 1; }
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 protected:
  at::Tensor propose() override;

 private:
  std::int64_t tried_ = 0;
};

/// One penalty, or one for each feature, from 1 on by Adam: the gradient of the loss goes through the fit by
/// the implicit function theorem.
class HypergradientLearner : public PenaltyLearner {
 public:
  HypergradientLearner(FitLoss loss, PenaltyData data, std::int64_t count);
  std::int64_t parameters() const override { return logarithms_.numel(); }
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 protected:
  at::Tensor propose() override { return logarithms_; }
  void learn(const at::Tensor& validation_loss) override;

 private:
  at::Tensor logarithms_;
  torch::optim::Adam optimizer_;
};

}  // namespace stillpoint::app
