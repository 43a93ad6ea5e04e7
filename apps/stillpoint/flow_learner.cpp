#include "flow_learner.h"

#include <torch/nn/cloneable.h>
#include <torch/types.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "interrupt.h"
#include "stillpoint/nn/concat_squash.h"
#include "study_parts.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kFlowBatch = 100, kTestPoints = 4096, kFieldWidth = 64;
constexpr double kTightly = 1e-6, kInTraining = 1e-5;

struct PlaneFieldImpl : torch::nn::Cloneable<PlaneFieldImpl> {
  PlaneFieldImpl() { PlaneFieldImpl::reset(); }

  void reset() override {
    const std::vector<std::int64_t> widths{2, kFieldWidth, kFieldWidth, kFieldWidth, 2};
    layers.clear();
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      layers.push_back(
          register_module("layer" + std::to_string(i), nn::ConcatSquash(widths[i], widths[i + 1])));
    }
  }

  at::Tensor forward(const at::Tensor& t, const at::Tensor& z) {
    auto hidden = z;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      hidden = layers[i]->forward(t, hidden);
      if (i + 1 < layers.size()) hidden = hidden.tanh();
    }
    return hidden;
  }

  std::vector<nn::ConcatSquash> layers;
};
TORCH_MODULE(PlaneField);

nn::ContinuousFlow new_flow(const FlowRecipe& recipe) {
  return nn::ContinuousFlow(PlaneField(), std::vector<std::int64_t>{2},
                            nn::ContinuousFlowOptions{.trace = recipe.trace,
                                                      .end_time = 0.5,
                                                      .learns_end_time = true,
                                                      .penalties = recipe.penalty > 0,
                                                      .solve = {.on_failure = OnFailure::Ignore}});
}

}  // namespace

FlowLearner::FlowLearner(const PlaneDensity& density, const FlowRecipe& recipe)
    : density_(density),
      recipe_(recipe),
      flow_(new_flow(recipe)),
      optimizer_(flow_->parameters(), torch::optim::AdamOptions(1e-3)) {}

Figures FlowLearner::run_round() {
  double loss_sum = 0, nats_sum = 0, evaluations = 0, unfinished = 0;
  flow_->options.trace = recipe_.trace;
  flow_->options.solve.tolerance = {.relative = kInTraining, .absolute = kInTraining};
  for (std::int64_t step = 0; step < kStepsOfARound; ++step) {
    stop_if_interrupted();
    const auto flown = flow_->to_base(density_.draw(kFlowBatch));
    const auto nats = -flow_->log_prob(flown).mean();
    auto loss = nats;
    if (recipe_.penalty > 0) loss = loss + recipe_.penalty * (flown.kinetic + flown.jacobian).mean();
    unfinished += flow_->stats().finished() ? 0 : 1;
    evaluations += static_cast<double>(flow_->stats().evaluations);
    optimizer_.zero_grad();
    loss.backward();
    optimizer_.step();
    loss_sum += loss.item<double>();
    nats_sum += nats.item<double>();
  }
  const auto steps = static_cast<double>(kStepsOfARound);
  return {{"loss", loss_sum / steps},
          {"nats", nats_sum / steps},
          {"evaluations", evaluations / steps},
          {"unfinished", unfinished}};
}

at::Tensor FlowLearner::log_prob(const at::Tensor& points) {
  const torch::NoGradGuard no_grad;
  flow_->options.trace = nn::Trace::Exact;
  flow_->options.solve.tolerance = {.relative = kTightly, .absolute = kTightly};
  return flow_->log_prob(points);
}

at::Tensor FlowLearner::way_of(const at::Tensor& points, std::int64_t count) {
  const torch::NoGradGuard no_grad;
  flow_->options.solve.tolerance = {.relative = kTightly, .absolute = kTightly};
  return flow_->trajectory(points,
                           torch::linspace(flow_->end_time().item<double>(), 0, count, torch::kDouble));
}

nlohmann::ordered_json FlowLearner::results() {
  const torch::NoGradGuard no_grad;
  const auto points = density_.draw(kTestPoints);
  const auto ours = log_prob(points), right = density_.log_prob(points);
  return {{"nats", -ours.mean().item<double>()},
          {"floor", -right.mean().item<double>()},
          {"excess_error", (right - ours).std().item<double>() / std::sqrt(static_cast<double>(kTestPoints))},
          {"evaluations", flow_->stats().evaluations},
          {"end_time", flow_->end_time().item<double>()}};
}

std::int64_t FlowLearner::parameters() const { return numbers_in(*flow_); }

void FlowLearner::save(torch::serialize::OutputArchive& archive) const {
  write_part(archive, "flow", *flow_);
  write_part(archive, "optimizer", optimizer_);
}

void FlowLearner::load(torch::serialize::InputArchive& archive) {
  read_part(archive, "flow", *flow_);
  read_part(archive, "optimizer", optimizer_);
}

}  // namespace stillpoint::app
