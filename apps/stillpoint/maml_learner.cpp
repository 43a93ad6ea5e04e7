#include "maml_learner.h"

#include <torch/serialize.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "interrupt.h"
#include "stillpoint/core/packing.h"
#include "stillpoint/optim/adapt.h"
#include "stillpoint/optim/minimize.h"
#include "stillpoint/optim/minimizers/lbfgs.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kTasksTogether = 25;  // in one computation
constexpr std::int64_t kMetaStepsPerRound = 100;
constexpr std::int64_t kTestedTasks = 600;
constexpr std::int64_t kAdaptationSteps = 10;
constexpr double kInnerRate = 0.01;
// λ. A step of the rate r goes about as far as the minimum with λ = 1 / r; this allows twice as far.
constexpr double kProximity = 50;

// Of L-BFGS towards that minimum, in training.
constexpr std::int64_t kSolverSteps = 5;

Weights one_adaptation_step(const Weights& weights, const Points& support, bool first_order) {
  return adapt([&](const Weights& w) { return squared_errors(w, support); }, weights,
               {.rate = kInnerRate, .first_order = first_order});
}

}  // namespace

MamlLearner::MamlLearner(std::int64_t shots, Gradient gradient)
    : shots_(shots),
      gradient_(gradient),
      weights_(initial_weights()),
      optimizer_(weights_, torch::optim::AdamOptions(1e-3)) {}

MamlLearner::Episode MamlLearner::draw_episode() const {
  const auto sinusoids = Sinusoids::draw(kTasksTogether);
  auto support = sinusoids.points(shots_);
  return {std::move(support), sinusoids.points(shots_)};
}

std::vector<Weights> MamlLearner::adapted(const Points& support, std::int64_t steps) const {
  const torch::NoGradGuard no_grad;
  std::vector<Weights> all{shared_by(support.x.size(0), weights_)};
  for (std::int64_t step = 1; step <= steps; ++step) {
    all.push_back(gradient_ == Gradient::Implicit ? proximal_minimum(support, step).weights
                                                  : one_adaptation_step(all.back(), support, true));
  }
  return all;
}

// Close is enough: the minimum lies among kinks of ReLU, where line searches go on for long.
MamlLearner::Minimum MamlLearner::proximal_minimum(const Points& support, std::int64_t steps) const {
  const auto start = shared_by(support.x.size(0), weights_);
  const Packing packing(start);
  const auto center = packing.pack(start);
  const auto objective = [=](const at::Tensor& phi) {
    return squared_errors(packing.unpack(phi), support) + kProximity / 2 * (phi - center).square().sum(1);
  };
  const auto [phi, stats] =
      minimize(objective, center,
               {.solver = optim::Lbfgs{},
                .tolerance = {.relative = 3e-3},
                .max_iterations = steps,
                .gradient = ImplicitGradient{.tolerance = {.relative = 1e-2, .absolute = 0.0}},
                .on_failure = OnFailure::Ignore});
  std::vector<float> found(stats.status.size());
  std::ranges::transform(stats.status, found.begin(),
                         [](Status status) { return status == Status::Converged ? 1.0F : 0.0F; });
  return {packing.unpack(phi), torch::tensor(found)};
}

at::Tensor MamlLearner::meta_loss() {
  const auto episode = draw_episode();
  if (gradient_ != Gradient::Implicit) {
    const auto start = shared_by(kTasksTogether, weights_);
    const bool first_order = gradient_ == Gradient::FirstOrder;
    return squared_errors(one_adaptation_step(start, episode.support, first_order), episode.query).mean();
  }
  // The derivative is that of a minimum, so tasks that did not come to one have none.
  const auto minimum = proximal_minimum(episode.support, kSolverSteps);
  const double count = minimum.found.sum().item<double>();
  found_ += count;
  return (minimum.found * squared_errors(minimum.weights, episode.query)).sum() / std::max(count, 1.0);
}

Figures MamlLearner::run_round() {
  double sum = 0;
  found_ = 0;
  for (std::int64_t i = 0; i < kMetaStepsPerRound; ++i) {
    stop_if_interrupted();
    const auto loss = meta_loss();
    optimizer_.zero_grad();
    loss.backward();
    optimizer_.step();
    sum += loss.item<double>();
  }
  const auto errors = test(100, 1);
  Figures figures{{"loss", sum / static_cast<double>(kMetaStepsPerRound)},
                  {"mse_after_0", errors.after_steps[0]},
                  {"mse_after_1", errors.after_steps[1]}};
  if (gradient_ == Gradient::Implicit) {
    figures.emplace_back("found", found_ / static_cast<double>(kMetaStepsPerRound * kTasksTogether));
  }
  return figures;
}

MamlLearner::Errors MamlLearner::test(std::int64_t tasks, std::int64_t steps) const {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> chunks;
  for (std::int64_t done = 0; done < tasks; done += kTasksTogether) {
    const auto episode = draw_episode();
    std::vector<at::Tensor> errors;
    for (const auto& weights : adapted(episode.support, steps)) {
      errors.push_back(squared_errors(weights, episode.query));
    }
    chunks.push_back(torch::stack(errors));
  }
  const auto all = torch::cat(chunks, 1).to(torch::kDouble);
  const auto means = all.mean(1);
  const auto margins = 1.96 * all.std(1) / std::sqrt(static_cast<double>(all.size(1)));
  Errors errors;
  for (std::int64_t step = 0; step <= steps; ++step) {
    errors.after_steps.push_back(means[step].item<double>());
    errors.margins.push_back(margins[step].item<double>());
  }
  return errors;
}

nlohmann::ordered_json MamlLearner::results() {
  const auto errors = test(kTestedTasks, kAdaptationSteps);
  return {{"mse_after_1", errors.after_steps[1]},
          {"mse_after_10", errors.after_steps[kAdaptationSteps]},
          {"mse_after_steps", errors.after_steps},
          {"margin_after_steps", errors.margins}};
}

std::int64_t MamlLearner::parameters() const {
  std::int64_t count = 0;
  for (const auto& one : weights_) count += one.numel();
  return count;
}

void MamlLearner::save(torch::serialize::OutputArchive& archive) const {
  torch::serialize::OutputArchive state;
  optimizer_.save(state);
  for (std::size_t i = 0; i < weights_.size(); ++i) archive.write("weights" + std::to_string(i), weights_[i]);
  archive.write("optimizer", state);
}

void MamlLearner::load(torch::serialize::InputArchive& archive) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < weights_.size(); ++i) archive.read("weights" + std::to_string(i), weights_[i]);
  torch::serialize::InputArchive state;
  archive.read("optimizer", state);
  optimizer_.load(state);
}

}  // namespace stillpoint::app
