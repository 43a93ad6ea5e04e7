#include "penalty_learner.h"

#include <torch/nn/functional/pooling.h>
#include <torch/serialize.h>
#include <torch/types.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <utility>

#include "run.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kLabels = 10;
/// Not to be chosen: so little that it only settles what the same number added to all biases would leave
/// open.
constexpr double kBiasPenalty = 1e-3;
constexpr double kHypergradientRate = 0.3;  // of Adam, in logarithms

at::Tensor pooled(const at::Tensor& images) {
  const auto squares = images.to(torch::kDouble).view({-1, 1, 28, 28});
  return torch::nn::functional::avg_pool2d(squares, torch::nn::functional::AvgPool2dFuncOptions(2))
      .flatten(1);
}

at::Tensor targets_of(FitLoss loss, const at::Tensor& labels) {
  if (loss == FitLoss::CrossEntropy) {
    return labels;
  }
  return torch::zeros({labels.size(0), kLabels}, torch::kDouble).scatter(1, labels.unsqueeze(1), 1.0);
}

}  // namespace

PenaltyData penalty_data(FitLoss loss, const Dataset& images) {
  const auto fitted = images.train.slice(0, kTrained);
  const auto chosen = images.train.slice(kTrained, kValidated);
  if (fitted.size() == 0 || chosen.size() == 0) {
    throw UserError("--data: expected more than 500 training images, found fewer; name another directory");
  }
  const auto mean = pooled(fitted.inputs).mean(0);
  const auto prepared = [&](const Examples& examples) -> Examples {
    const auto features = pooled(examples.inputs) - mean;
    return {torch::cat({features, torch::ones({features.size(0), 1}, torch::kDouble)}, 1),
            targets_of(loss, examples.targets)};
  };
  return {prepared(fitted), prepared(chosen), prepared(images.test), images.test.targets,
          checksum_of({images.train.slice(0, kTrained + kValidated), images.test})};
}

PenaltyLearner::PenaltyLearner(FitLoss fit_loss, PenaltyData examples)
    : loss(fit_loss),
      data(std::move(examples)),
      start_(torch::zeros({kPenaltyFeatures + 1, kLabels}, torch::kDouble)),
      best_weights_(start_.clone()),
      best_logarithms_(torch::zeros({kPenaltyFeatures}, torch::kDouble)),
      best_loss_(std::numeric_limits<double>::infinity()),
      last_loss_(best_loss_) {}

Figures PenaltyLearner::run_round() {
  const auto logarithms = propose();
  const auto each = logarithms.exp().expand({kPenaltyFeatures});
  const auto with_bias = torch::cat({each, torch::full({1}, kBiasPenalty, torch::kDouble)});
  const auto weights = penalized_fit(loss, data.train.inputs, data.train.targets, with_bias, start_);
  const auto value = fit_losses(loss, data.validation.inputs.mm(weights), data.validation.targets).mean();
  ++fits_;
  start_ = weights.detach();
  last_loss_ = value.item<double>();
  if (last_loss_ < best_loss_) {
    best_loss_ = last_loss_;
    best_weights_ = start_;
    best_logarithms_ = logarithms.detach().expand({kPenaltyFeatures}).clone();
  }
  learn(value);
  return {{"validation_loss", best_loss_},
          {"tried_loss", last_loss_},
          {"test_loss", mean_loss(best_weights_, data.test)},
          {"fits", static_cast<double>(fits_)}};
}

double PenaltyLearner::mean_loss(const at::Tensor& weights, const Examples& examples) const {
  return fit_losses(loss, examples.inputs.mm(weights), examples.targets).mean().item<double>();
}

std::vector<double> PenaltyLearner::penalties() const { return numbers_of(best_logarithms_.exp()); }

nlohmann::ordered_json PenaltyLearner::results() {
  const torch::NoGradGuard no_grad;
  const auto said = data.test.inputs.mm(best_weights_).argmax(1);
  return {{"validation_loss", best_loss_},
          {"test_loss", mean_loss(best_weights_, data.test)},
          {"test_error", said.ne(data.test_labels).to(torch::kDouble).mean().item<double>()},
          {"mean_penalty", std::exp(best_logarithms_.mean().item<double>())},
          {"penalties", penalties()}};
}

void PenaltyLearner::save(torch::serialize::OutputArchive& archive) const {
  archive.write("start", start_);
  archive.write("best_weights", best_weights_);
  archive.write("best_logarithms", best_logarithms_);
  archive.write("best_loss", c10::IValue(best_loss_));
  archive.write("last_loss", c10::IValue(last_loss_));
  archive.write("fits", c10::IValue(fits_));
}

void PenaltyLearner::load(torch::serialize::InputArchive& archive) {
  archive.read("start", start_);
  archive.read("best_weights", best_weights_);
  archive.read("best_logarithms", best_logarithms_);
  c10::IValue best_loss, last_loss, fits;
  archive.read("best_loss", best_loss);
  archive.read("last_loss", last_loss);
  archive.read("fits", fits);
  best_loss_ = best_loss.toDouble();
  last_loss_ = last_loss.toDouble();
  fits_ = fits.toInt();
}

// 0, 1, 1/2, 1/4, 3/4, 1/8, …: van der Corput's sequence with both ends before it.
at::Tensor GridLearner::propose() {
  double place = tried_ == 1 ? 1 : 0;
  double part = 0.5;
  for (std::int64_t n = tried_ - 1; tried_ > 1 && n > 0; n /= 2, part /= 2) {
    place += static_cast<double>(n % 2) * part;
  }
  ++tried_;
  constexpr double kLowest = -3, kHighest = 5;
  return torch::full({1}, std::numbers::ln10 * (kLowest + (kHighest - kLowest) * place), torch::kDouble);
}

void GridLearner::save(torch::serialize::OutputArchive& archive) const {
  PenaltyLearner::save(archive);
  archive.write("tried", c10::IValue(tried_));
}

void GridLearner::load(torch::serialize::InputArchive& archive) {
  PenaltyLearner::load(archive);
  c10::IValue tried;
  archive.read("tried", tried);
  tried_ = tried.toInt();
}

HypergradientLearner::HypergradientLearner(FitLoss fit_loss, PenaltyData examples, std::int64_t count)
    : PenaltyLearner(fit_loss, std::move(examples)),
      logarithms_(torch::zeros({count}, torch::kDouble).requires_grad_()),
      optimizer_(std::vector<at::Tensor>{logarithms_}, torch::optim::AdamOptions(kHypergradientRate)) {}

void HypergradientLearner::learn(const at::Tensor& validation_loss) {
  optimizer_.zero_grad();
  validation_loss.backward();
  optimizer_.step();
}

void HypergradientLearner::save(torch::serialize::OutputArchive& archive) const {
  PenaltyLearner::save(archive);
  torch::serialize::OutputArchive state(archive.compilation_unit());
  optimizer_.save(state);
  archive.write("optimizer", state);
  archive.write("logarithms", logarithms_);
}

void HypergradientLearner::load(torch::serialize::InputArchive& archive) {
  const torch::NoGradGuard no_grad;
  PenaltyLearner::load(archive);
  torch::serialize::InputArchive state;
  archive.read("optimizer", state);
  optimizer_.load(state);
  archive.read("logarithms", logarithms_);
}

}  // namespace stillpoint::app
