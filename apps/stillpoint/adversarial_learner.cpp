#include "adversarial_learner.h"

#include <torch/autograd.h>
#include <torch/serialize.h>
#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "interrupt.h"
#include "study_parts.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kLatent = 2, kPlaneWidth = 64, kBatch = 256;
constexpr std::int64_t kCriticSteps = 5;  // to one of the generator
constexpr double kPenaltyWeight = 0.1;
constexpr std::int64_t kSamples = 4096, kSamplesOfARound = 1024;

torch::optim::AdamOptions adversarial_steps() {
  return torch::optim::AdamOptions(1e-3).betas(std::make_tuple(0.5, 0.9));
}

std::shared_ptr<Critic> new_critic(CriticKind kind) {
  if (kind == CriticKind::Equilibrium) {
    return std::make_shared<EquilibriumCritic>(kPlaneWidth);
  }
  return std::make_shared<ExplicitCritic>(kPlaneWidth);
}

}  // namespace

AdversarialLearner::AdversarialLearner(const PointCloud& cloud, CriticKind kind)
    : cloud_(cloud),
      generator_(plane_network(kLatent, kPlaneWidth, 2)),
      critic_(new_critic(kind)),
      generator_optimizer_(generator_->parameters(), adversarial_steps()),
      critic_optimizer_(critic_->parameters(), adversarial_steps()) {}

at::Tensor AdversarialLearner::generate(std::int64_t count) {
  return generator_->forward(torch::randn({count, kLatent}));
}

at::Tensor AdversarialLearner::judge(const at::Tensor& points) {
  const torch::NoGradGuard no_grad;
  critic_->eval();
  auto judged = critic_->forward(points);
  critic_->train();
  return judged;
}

at::Tensor AdversarialLearner::penalty(const at::Tensor& real, const at::Tensor& fake, Tally& tally) {
  const auto share = torch::rand({real.size(0), 1});
  const auto between = torch::lerp(real, fake, share).requires_grad_();
  const auto judged = critic_->forward(between);
  const auto slope = torch::autograd::grad({judged.sum()}, {between}, {}, true, true)[0];
  if (const auto* solve = critic_->stats()) {
    tally.iterations += solve->mean_iterations();
    tally.backward_iterations += solve->backward->mean_iterations();
    tally.unsolved += static_cast<double>(kBatch - solve->count(Status::Converged)) +
                      static_cast<double>(kBatch - solve->backward->count(Status::Converged));
  }
  return (slope.norm(2, 1) - 1).square().mean();
}

void AdversarialLearner::improve_critic(Tally& tally) {
  const auto real = cloud_.draw(kBatch);
  const auto fake = [&] {
    const torch::NoGradGuard no_grad;
    return generate(kBatch);
  }();
  const auto judged = critic_->forward(torch::cat({real, fake}));
  const auto distance = judged.slice(0, 0, kBatch).mean() - judged.slice(0, kBatch).mean();
  const auto excess = penalty(real, fake, tally);
  critic_optimizer_.zero_grad();
  (kPenaltyWeight * excess - distance).backward();
  critic_optimizer_.step();
  tally.distance += distance.item<double>();
  tally.penalty += excess.item<double>();
  ++tally.steps;
}

void AdversarialLearner::improve_generator() {
  const auto loss = -critic_->forward(generate(kBatch)).mean();
  generator_optimizer_.zero_grad();
  loss.backward();
  generator_optimizer_.step();
}

Figures AdversarialLearner::run_round() {
  Tally tally;
  for (std::int64_t step = 0; step < kStepsOfARound; ++step) {
    stop_if_interrupted();
    for (std::int64_t i = 0; i < kCriticSteps; ++i) {
      improve_critic(tally);
    }
    improve_generator();
  }
  const torch::NoGradGuard no_grad;
  const auto reached = agreement(cloud_, generate(kSamplesOfARound));
  const auto steps = static_cast<double>(tally.steps);
  Figures figures{{"distance", tally.distance / steps},
                  {"penalty", tally.penalty / steps},
                  {"modes", static_cast<double>(reached.modes)},
                  {"within", reached.within},
                  {"median_distance", reached.median_distance}};
  if (critic_->stats() != nullptr) {
    figures.emplace_back("iterations", tally.iterations / steps);
    figures.emplace_back("backward_iterations", tally.backward_iterations / steps);
    figures.emplace_back("unsolved", tally.unsolved / steps);
  }
  return figures;
}

nlohmann::ordered_json AdversarialLearner::results() {
  const torch::NoGradGuard no_grad;
  const auto reached = agreement(cloud_, generate(kSamples));
  const auto ideal = agreement(cloud_, cloud_.draw(kSamples));
  return {{"modes", reached.modes},
          {"within", reached.within},
          {"median_distance", reached.median_distance},
          {"data_median_distance", ideal.median_distance}};
}

std::int64_t AdversarialLearner::parameters() const { return numbers_in(*generator_) + numbers_in(*critic_); }

void AdversarialLearner::save(torch::serialize::OutputArchive& archive) const {
  write_part(archive, "generator", *generator_);
  write_part(archive, "critic", *critic_);
  write_part(archive, "generator_optimizer", generator_optimizer_);
  write_part(archive, "critic_optimizer", critic_optimizer_);
}

void AdversarialLearner::load(torch::serialize::InputArchive& archive) {
  read_part(archive, "generator", *generator_);
  read_part(archive, "critic", *critic_);
  read_part(archive, "generator_optimizer", generator_optimizer_);
  read_part(archive, "critic_optimizer", critic_optimizer_);
}

}  // namespace stillpoint::app
