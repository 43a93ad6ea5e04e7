#include "trpo_learner.h"

#include <torch/optim/lbfgs.h>
#include <torch/serialize.h>
#include <torch/types.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numbers>

#include "flat_weights.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kSteps = 2000;
constexpr std::int64_t kCarts = 10;
constexpr double kDiscount = 0.99;
constexpr double kDecay = 0.97;
constexpr std::int64_t kValueSteps = 20;

at::Tensor read_tensor(torch::serialize::InputArchive& archive, const std::string& key) {
  at::Tensor tensor;
  archive.read(key, tensor);
  return tensor;
}

}  // namespace

TrpoLearner::TrpoLearner(const std::function<NetworkPointer()>& make_policy, const TrustRegion& region)
    : region_(region), value_(1 / (1 - kDiscount)), policy_(make_policy()), first_angles_(angles()) {}

Figures TrpoLearner::run_round() {
  const auto episodes = play(*policy_, kSteps, kCarts);
  const auto experience = learn_from(episodes, value_, kDiscount, kDecay);
  const auto step = improve(*policy_, experience, region_);
  fit_values(experience);
  const auto steps = static_cast<double>(experience.states.size(0));
  mean_returns_.push_back(steps / static_cast<double>(episodes.size()));
  return {{"mean_return", mean_returns_.back()},
          {"episodes", static_cast<double>(episodes.size())},
          {"kl", step.kl},
          {"gain", step.gain},
          {"step_length", step.length},
          {"cg_residual", step.cg_residual}};
}

// All experience at once, so that L-BFGS can be used; it begins anew in each round and leaves no state.
void TrpoLearner::fit_values(const Experience& experience) {
  torch::optim::LBFGS optimizer(
      value_.parameters(), torch::optim::LBFGSOptions().max_iter(kValueSteps).line_search_fn("strong_wolfe"));
  optimizer.step([&] {
    optimizer.zero_grad();
    const auto loss = (value_.forward(experience.states).squeeze(1) - experience.returns).square().mean();
    loss.backward();
    return loss;
  });
}

std::vector<double> TrpoLearner::angles() const {
  const auto episode = demonstrate(*policy_);
  std::vector<double> degrees(episode.states.size());
  std::ranges::transform(episode.states, degrees.begin(),
                         [](const CartPole& state) { return state.angle * 180 / std::numbers::pi; });
  return degrees;
}

nlohmann::ordered_json TrpoLearner::results() {
  nlohmann::ordered_json results{
      {"mean_return", mean_returns_}, {"last_return", nullptr}, {"solved_in_round", nullptr}};
  if (!mean_returns_.empty()) results["last_return"] = mean_returns_.back();
  const auto solved = std::ranges::find_if(mean_returns_, [](double one) { return one >= kSolvedReturn; });
  if (solved != mean_returns_.end()) results["solved_in_round"] = solved - mean_returns_.begin() + 1;
  return results;
}

std::int64_t TrpoLearner::parameters() const {
  return flattened(policy_->parameters()).numel() + flattened(value_.parameters()).numel();
}

void TrpoLearner::save(torch::serialize::OutputArchive& archive) const {
  archive.write("policy", flattened(policy_->parameters()));
  archive.write("value", flattened(value_.parameters()));
  archive.write("mean_returns", torch::tensor(mean_returns_, torch::kDouble));
  archive.write("first_angles", torch::tensor(first_angles_, torch::kDouble));
}

void TrpoLearner::load(torch::serialize::InputArchive& archive) {
  set_weights(policy_->parameters(), read_tensor(archive, "policy"));
  set_weights(value_.parameters(), read_tensor(archive, "value"));
  mean_returns_ = numbers_of(read_tensor(archive, "mean_returns"));
  first_angles_ = numbers_of(read_tensor(archive, "first_angles"));
}

}  // namespace stillpoint::app
