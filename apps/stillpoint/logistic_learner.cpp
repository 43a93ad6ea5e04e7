#include "logistic_learner.h"

#include <torch/nn/functional/loss.h>
#include <torch/serialize.h>
#include <torch/types.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "interrupt.h"
#include "run.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kImageClasses = 10, kAdamBatch = 100;

double error_of(const at::Tensor& logits, const at::Tensor& labels) {
  return logits.argmax(1).ne(labels).to(torch::kDouble).mean().item<double>();
}

}  // namespace

LogisticLearner::LogisticLearner(Dataset examples)
    : data(std::move(examples)),
      weight(torch::zeros({data.train.inputs.size(1), kImageClasses}).requires_grad_()),
      bias(torch::zeros({kImageClasses}).requires_grad_()),
      checksum_(checksum_of(data)) {}

at::Tensor LogisticLearner::loss_of(const Examples& examples) const {
  const auto logits = torch::addmm(bias, examples.inputs, weight);
  return torch::nn::functional::cross_entropy(logits, examples.targets) +
         0.5 * kDecay * weight.square().sum();
}

Figures LogisticLearner::run_round() {
  ++rounds_;
  while (passes_ < kPassesOfARound * static_cast<double>(rounds_)) {
    stop_if_interrupted();
    passes_ += advance();
  }
  return figures();
}

Figures LogisticLearner::figures() const {
  const auto value = loss();
  const auto gradients = torch::autograd::grad({value}, {weight, bias});
  const torch::NoGradGuard no_grad;
  const double squared =
      gradients[0].square().sum().item<double>() + gradients[1].square().sum().item<double>();
  const auto test = torch::addmm(bias, data.test.inputs, weight);
  return {{"passes", passes_},
          {"loss", value.item<double>()},
          {"gradient_norm", std::sqrt(squared)},
          {"test_error", error_of(test, data.test.targets)}};
}

nlohmann::ordered_json LogisticLearner::results() {
  nlohmann::ordered_json object;
  for (const auto& [name, number] : figures()) {
    object[name] = number;
  }
  return object;
}

void LogisticLearner::save(torch::serialize::OutputArchive& archive) const {
  torch::serialize::OutputArchive state(archive.compilation_unit());
  optimizer().save(state);
  archive.write("optimizer", state);
  archive.write("weight", weight);
  archive.write("bias", bias);
  archive.write("passes", c10::IValue(passes_));
  archive.write("rounds", c10::IValue(rounds_));
}

void LogisticLearner::load(torch::serialize::InputArchive& archive) {
  const torch::NoGradGuard no_grad;
  torch::serialize::InputArchive state;
  archive.read("optimizer", state);
  optimizer().load(state);
  archive.read("weight", weight);
  archive.read("bias", bias);
  c10::IValue passes, rounds;
  archive.read("passes", passes);
  archive.read("rounds", rounds);
  passes_ = passes.toDouble();
  rounds_ = rounds.toInt();
}

NewtonCgLogistic::NewtonCgLogistic(Dataset examples)
    : LogisticLearner(std::move(examples)),
      optimizer_(std::vector<at::Tensor>{weight, bias}, nn::NewtonCgOptions().max_products(50)) {}

double NewtonCgLogistic::advance() {
  optimizer_.step([this] { return loss(); });
  const auto& step = optimizer_.last_step();
  return static_cast<double>(step.evaluations + step.products);
}

LbfgsLogistic::LbfgsLogistic(Dataset examples)
    : LogisticLearner(std::move(examples)),
      optimizer_(std::vector<at::Tensor>{weight, bias},
                 torch::optim::LBFGSOptions(1).max_iter(10).history_size(10).line_search_fn("strong_wolfe")) {
}

double LbfgsLogistic::advance() {
  double evaluations = 0;
  optimizer_.step([&] {
    ++evaluations;
    optimizer_.zero_grad();
    auto value = loss();
    value.backward();
    return value;
  });
  // Scratch of a step. LibTorch cannot save it while the history is not full.
  for (auto& state : optimizer_.state()) {
    dynamic_cast<torch::optim::LBFGSParamState&>(*state.second).al(c10::nullopt);
  }
  return evaluations;
}

AdamLogistic::AdamLogistic(Dataset examples)
    : LogisticLearner(std::move(examples)),
      optimizer_(std::vector<at::Tensor>{weight, bias}, torch::optim::AdamOptions(1e-3)) {}

double AdamLogistic::advance() {
  const auto order = torch::randperm(data.train.inputs.size(0));
  for (const auto& rows : order.split(kAdamBatch)) {
    optimizer_.zero_grad();
    loss_of(data.train.select(rows)).backward();
    optimizer_.step();
  }
  return 1;
}

}  // namespace stillpoint::app
