#include "trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <vector>

#include "interrupt.h"
#include "peak_memory.h"

namespace stillpoint::app {
namespace {

using Clock = std::chrono::steady_clock;

double learning_rate(std::int64_t epoch) { return epoch < 6 ? 0.1 : 0.01; }

/// Sums over the batches of a pass.
class Tally {
 public:
  void add(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& loss, const Stats& stats) {
    const auto size = static_cast<double>(labels.size(0));
    samples_ += size;
    sum_.error += logits.argmax(1).ne(labels).sum().item<double>();
    sum_.loss += size * loss.item<double>();
    sum_.iterations += size * slowest(stats);
    sum_.unconverged += failures(stats);
    if (stats.backward && !stats.backward->status.empty()) {
      sum_.backward_iterations = sum_.backward_iterations.value_or(0) + size * slowest(*stats.backward);
      sum_.backward_unconverged += failures(*stats.backward);
    }
  }

  /// The means, with the time since the pass began.
  Pass pass() const {
    auto mean = sum_;
    mean.error /= samples_;
    mean.loss /= samples_;
    mean.iterations /= samples_;
    if (mean.backward_iterations) {
      *mean.backward_iterations /= samples_;
    }
    mean.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    return mean;
  }

 private:
  /// What the batch cost: a solver runs until the last of its samples is done.
  static double slowest(const Stats& stats) {
    return static_cast<double>(std::ranges::max(stats.iterations));
  }
  static std::int64_t failures(const Stats& stats) {
    return static_cast<std::int64_t>(stats.status.size()) - stats.count(Status::Converged);
  }

  Clock::time_point start_ = Clock::now();
  double samples_ = 0;
  Pass sum_;
};

struct Prediction {
  at::Tensor logits;
  at::Tensor loss;
};

Prediction predict(Classifier& model, const Examples& batch) {
  const auto logits = model->forward(batch.images);
  return {logits, torch::nn::functional::cross_entropy(logits, batch.labels)};
}

/// The same with a loss over the samples that converged. The others are no fixed points, so they have no
/// implicit gradient: what the rule gives there can be huge, and one such sample would undo an epoch.
Prediction predict_converged(Classifier& model, const Examples& batch) {
  const auto logits = model->forward(batch.images);
  if (model->stats().converged()) {
    return {logits, torch::nn::functional::cross_entropy(logits, batch.labels)};
  }
  std::vector<std::uint8_t> converged;
  std::ranges::transform(model->stats().status, std::back_inserter(converged),
                         [](Status status) { return status == Status::Converged; });
  const auto mask = torch::tensor(converged, torch::kBool).to(logits.device());
  const auto losses = torch::nn::functional::cross_entropy(
      logits, batch.labels, torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone));
  return {logits,
          torch::where(mask, losses, 0).sum() / std::max<std::int64_t>(1, std::ranges::count(converged, 1))};
}

Prediction train_step(Classifier& model, torch::optim::SGD& optimizer, const Examples& batch) {
  auto prediction = predict_converged(model, batch);
  optimizer.zero_grad();
  prediction.loss.backward();
  optimizer.step();
  return prediction;
}

/// A new order of `count` examples for each seed and epoch.
at::Tensor shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  auto generator =
      at::make_generator<at::CPUGeneratorImpl>(seed + 1'000'003 * static_cast<std::uint64_t>(epoch));
  return torch::randperm(count, generator, torch::kLong);
}

}  // namespace

Epoch Trainer::run_epoch(Classifier model, std::int64_t number, const Progress& progress) const {
  auto train_pass = train(model, number, progress);
  return {.number = number, .train = train_pass, .test = test(model)};
}

Pass Trainer::train(Classifier model, std::int64_t number, const Progress& progress) const {
  const auto& examples = data_.train;
  torch::optim::SGD optimizer(model->parameters(), learning_rate(number));
  model->train();
  Tally tally;
  const auto order = shuffled(examples.size(), seed_, number).to(examples.labels.device());
  for (std::int64_t begin = 0; begin < examples.size(); begin += kBatch) {
    stop_if_interrupted();
    const auto batch = examples.select(order.slice(0, begin, begin + kBatch));
    const auto [logits, loss] = train_step(model, optimizer, batch);
    tally.add(logits, batch.labels, loss, model->stats());
    progress(static_cast<double>(begin + batch.size()) / static_cast<double>(examples.size()), tally.pass());
  }
  return tally.pass();
}

Pass Trainer::test(Classifier model) const {
  const torch::NoGradGuard no_grad;
  model->eval();
  Tally tally;
  for (std::int64_t begin = 0; begin < data_.test.size(); begin += kBatch) {
    stop_if_interrupted();
    const auto batch = data_.test.slice(begin, kBatch);
    const auto [logits, loss] = predict(model, batch);
    tally.add(logits, batch.labels, loss, model->stats());
  }
  return tally.pass();
}

std::int64_t Trainer::step_bytes(const Classifier& model, const FixedPointOptions& options) const {
  auto copy = copy_weights(model, options);
  torch::optim::SGD optimizer(copy->parameters(), learning_rate(1));
  const auto device = data_.train.labels.device();
  const auto first =
      torch::arange(std::min(kBatch, data_.train.size()), torch::dtype(torch::kLong).device(device));
  return peak_tensor_bytes(device, [&] { train_step(copy, optimizer, data_.train.select(first)); });
}

}  // namespace stillpoint::app
