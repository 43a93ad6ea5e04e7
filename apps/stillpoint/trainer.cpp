#include "trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/optim/adam.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "interrupt.h"
#include "peak_memory.h"
#include "run_parts.h"

namespace stillpoint::app {
namespace {

using Clock = std::chrono::steady_clock;

struct Prediction {
  at::Tensor errors;
  at::Tensor loss;
  std::int64_t counted;  ///< samples that the loss is the mean of
};

/// Sums over the batches of a pass.
class Tally {
 public:
  void add(const Prediction& prediction, const std::optional<SolveCost>& cost) {
    const auto size = static_cast<double>(prediction.errors.size(0));
    samples_ += size;
    sum_.error += prediction.errors.sum().item<double>();
    if (prediction.counted > 0) {
      const auto counted = static_cast<double>(prediction.counted);
      counted_ += counted;
      sum_.loss += counted * prediction.loss.item<double>();
    }
    if (!cost) {
      return;
    }
    sum_.iterations = sum_.iterations.value_or(0) + size * cost->forward;
    sum_.unconverged += std::ranges::count(cost->solved, false);
    if (cost->backward) {
      sum_.backward_iterations = sum_.backward_iterations.value_or(0) + size * *cost->backward;
      sum_.backward_unconverged += cost->backward_unsolved;
    }
  }

  /// The means, with the time since the pass began.
  Pass pass() const {
    auto mean = sum_;
    mean.error /= samples_;
    mean.loss /= counted_;  // not a number if nothing counts
    for (auto* iterations : {&mean.iterations, &mean.backward_iterations}) {
      if (*iterations) {
        **iterations /= samples_;
      }
    }
    mean.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    return mean;
  }

 private:
  Clock::time_point start_ = Clock::now();
  double samples_ = 0;
  double counted_ = 0;
  Pass sum_;
};

std::shared_ptr<torch::optim::Optimizer> new_optimizer(const Recipe& recipe, const Network& network) {
  const double rate = recipe.rate(0, 1);
  if (recipe.optimizer == Recipe::Optimizer::Adam) {
    return std::make_shared<torch::optim::Adam>(network.parameters(), rate);
  }
  if (recipe.optimizer == Recipe::Optimizer::RmsProp) {
    return std::make_shared<torch::optim::RMSprop>(network.parameters(), rate);
  }
  return std::make_shared<torch::optim::SGD>(network.parameters(),
                                             torch::optim::SGDOptions(rate).momentum(recipe.momentum));
}

void set_rate(torch::optim::Optimizer& optimizer, double rate) {
  for (auto& group : optimizer.param_groups()) {
    group.options().set_lr(rate);
  }
}

/// The mean over the samples that were solved; zero, as is its gradient, if none was.
at::Tensor mean_of_solved(const at::Tensor& sample_losses, const std::vector<bool>& solved) {
  const std::vector<std::uint8_t> converged(solved.begin(), solved.end());
  const auto mask = torch::tensor(converged, torch::kByte).to(sample_losses.device(), torch::kBool);
  return torch::where(mask, sample_losses, 0).sum() /
         std::max<std::int64_t>(1, std::ranges::count(converged, 1));
}

Prediction predict(const Experiment& experiment, Network& network, const Examples& batch) {
  const auto outputs = network.forward(batch.inputs);
  const auto sample_losses = losses(experiment.task, outputs, batch.targets);
  const auto cost = network.cost();
  const auto solved = cost ? std::ranges::count(cost->solved, true) : batch.size();
  const bool all = !network.is_training() || !experiment.recipe.only_converged || solved == batch.size();
  return {errors(experiment.task, outputs, batch.targets),
          all ? sample_losses.mean() : mean_of_solved(sample_losses, cost->solved),
          all ? batch.size() : solved};
}

Prediction train_step(const Experiment& experiment, TrainedVariant& variant, const Examples& batch) {
  auto prediction = predict(experiment, *variant.network, batch);
  if (variant.network->parameters().empty()) return prediction;
  const auto penalty = variant.network->penalty();
  variant.optimizer->zero_grad();
  (penalty.defined() ? prediction.loss + penalty : prediction.loss).backward();
  variant.optimizer->step();
  return prediction;
}

std::vector<double> first_output(Network& network, const Examples& test) {
  const torch::NoGradGuard no_grad;
  network.eval();
  return numbers_of(network.forward(test.slice(0, 1).inputs));
}

/// Images [B, 784], each shifted by up to `by` pixels, with black where nothing was.
at::Tensor shifted(const at::Tensor& images, std::int64_t by) {
  constexpr std::int64_t side = 28;
  const auto padded = torch::constant_pad_nd(images.view({-1, side, side}), {by, by, by, by});
  const auto places = torch::randint(2 * by + 1, {images.size(0), 2}, torch::kLong);
  std::vector<at::Tensor> crops;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto row = places[i][0].item<std::int64_t>(), column = places[i][1].item<std::int64_t>();
    crops.push_back(padded[i].narrow(0, row, side).narrow(1, column, side));
  }
  return torch::stack(crops).flatten(1);
}

at::Tensor shuffled(std::int64_t count, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randperm(count, generator, torch::kLong);
}

}  // namespace

TrainedVariant new_variant(const Experiment& experiment, const std::string& name, std::uint64_t seed) {
  torch::manual_seed(seed);
  TrainedVariant variant{
      .name = name, .network = experiment.variant(name).make(experiment.width), .optimizer = nullptr};
  variant.optimizer = new_optimizer(experiment.recipe, *variant.network);
  return variant;
}

Epoch Trainer::run_epoch(TrainedVariant& variant, std::int64_t last, const Progress& progress) const {
  const auto number = static_cast<std::int64_t>(variant.epochs.size()) + 1;
  auto train_pass = train(variant, last, progress);
  Epoch epoch{.number = number, .train = train_pass, .test = test(*variant.network)};
  if (experiment_.keeps_first_output) {
    epoch.first_output = first_output(*variant.network, data_.test);
  }
  return epoch;
}

Pass Trainer::train(TrainedVariant& variant, std::int64_t last, const Progress& progress) const {
  const auto& [examples, recipe] = std::tie(data_.train, experiment_.recipe);
  const auto number = static_cast<std::int64_t>(variant.epochs.size()) + 1;
  const double rate = experiment_.variant(variant.name).rate;
  variant.network->train();
  Tally tally;
  const auto seed = epoch_seed(seed_, number);
  torch::manual_seed(seed);  // of what penalties and shifts draw
  const auto order = shuffled(examples.size(), seed).to(examples.targets.device());
  for (std::int64_t begin = 0; begin < examples.size(); begin += recipe.batch) {
    stop_if_interrupted();
    const double fraction = static_cast<double>(begin) / static_cast<double>(examples.size());
    set_rate(*variant.optimizer,
             rate * recipe.rate(static_cast<double>(number - 1) + fraction, static_cast<double>(last)));
    auto batch = examples.select(order.slice(0, begin, begin + recipe.batch));
    if (recipe.crop > 0) batch.inputs = shifted(batch.inputs, recipe.crop);
    const auto prediction = train_step(experiment_, variant, batch);
    tally.add(prediction, variant.network->cost());
    progress(static_cast<double>(begin + batch.size()) / static_cast<double>(examples.size()), tally.pass());
  }
  return tally.pass();
}

Pass Trainer::test(Network& network) const {
  const torch::NoGradGuard no_grad;
  network.eval();
  Tally tally;
  for (std::int64_t begin = 0; begin < data_.test.size(); begin += experiment_.recipe.batch) {
    stop_if_interrupted();
    const auto batch = data_.test.slice(begin, experiment_.recipe.batch);
    const auto prediction = predict(experiment_, network, batch);
    tally.add(prediction, network.cost());
  }
  return tally.pass();
}

std::int64_t Trainer::step_bytes(const TrainedVariant& variant) const {
  auto copy = new_variant(experiment_, variant.name, seed_);
  copy_weights(*variant.network, *copy.network);
  copy.network->train();
  const auto device = data_.train.targets.device();
  const auto first = torch::arange(std::min(experiment_.recipe.batch, data_.train.size()),
                                   torch::dtype(torch::kLong).device(device));
  return peak_tensor_bytes(device, [&] { train_step(experiment_, copy, data_.train.select(first)); });
}

}  // namespace stillpoint::app
