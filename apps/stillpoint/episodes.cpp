#include "episodes.h"

#include <torch/types.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace stillpoint::app {
namespace {

constexpr std::int64_t kNumbers = 4;
static_assert(sizeof(CartPole) == kNumbers * sizeof(double));

constexpr double kStart = 0.05;  // the largest of each number of a first state

Episode new_episode() {
  const auto start = torch::empty({kNumbers}, torch::kDouble).uniform_(-kStart, kStart);
  const auto* number = start.data_ptr<double>();
  return {.states = {{number[0], number[1], number[2], number[3]}}, .pushes = {}};
}

bool has_ended(const Episode& episode) {
  return episode.steps() == kHorizon || episode.states.back().fallen();
}

void push(Episode& episode, bool right) {
  episode.pushes.push_back(right ? 1 : 0);
  episode.states.push_back(episode.states.back().pushed(right));
}

at::Tensor latest(const std::vector<Episode>& episodes) {
  std::vector<CartPole> states(episodes.size());
  std::ranges::transform(episodes, states.begin(), [](const Episode& one) { return one.states.back(); });
  return to_tensor(states);
}

at::Tensor as_tensor(const std::vector<double>& numbers) { return torch::tensor(numbers, torch::kDouble); }

}  // namespace

at::Tensor to_tensor(const std::vector<CartPole>& states) {
  const auto count = static_cast<std::int64_t>(states.size());
  const auto tensor = torch::empty({count, kNumbers}, torch::kDouble);
  std::ranges::copy(states, reinterpret_cast<CartPole*>(tensor.data_ptr<double>()));
  return tensor;
}

std::vector<Episode> play(Network& policy, std::int64_t steps, std::int64_t at_once) {
  const torch::NoGradGuard no_grad;
  std::vector<Episode> ended, running;
  for (std::int64_t made = 0;; made += static_cast<std::int64_t>(running.size())) {
    const auto still = std::ranges::partition(running, [](const auto& one) { return !has_ended(one); });
    std::ranges::move(still, std::back_inserter(ended));
    running.erase(still.begin(), still.end());
    while (made < steps && std::ssize(running) < at_once) running.push_back(new_episode());
    if (running.empty()) return ended;
    const auto to_the_right = policy.forward(latest(running)).softmax(1).select(1, 1);
    const auto right = torch::rand_like(to_the_right).lt(to_the_right);
    for (std::size_t i = 0; i < running.size(); ++i) push(running[i], right.data_ptr<bool>()[i]);
  }
}

Episode demonstrate(Network& policy) {
  const torch::NoGradGuard no_grad;
  Episode episode{.states = {{.angle = kStart}}, .pushes = {}};
  while (!has_ended(episode)) {
    push(episode, policy.forward(latest({episode})).argmax(1).item<std::int64_t>() == 1);
  }
  return episode;
}

std::vector<double> advantages(const std::vector<double>& rewards, const std::vector<double>& values,
                               double discount, double decay) {
  TORCH_CHECK(values.size() == rewards.size() + 1, "values: expected one more than the ", rewards.size(),
              " rewards, got ", values.size());
  std::vector<double> result(rewards.size());
  double later = 0;
  for (std::size_t t = rewards.size(); t-- > 0;) {
    later = rewards[t] + discount * values[t + 1] - values[t] + discount * decay * later;
    result[t] = later;
  }
  return result;
}

Experience learn_from(const std::vector<Episode>& episodes, Network& value, double discount, double decay) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> states, pushes, better, returns;
  for (const auto& episode : episodes) {
    const auto all = to_tensor(episode.states);
    const auto begun = all.narrow(0, 0, episode.steps());
    const auto expected = value.forward(all).squeeze(1);
    if (episode.states.back().fallen()) expected[-1] = 0;
    const std::vector<double> rewards(episode.pushes.size(), 1.0);
    states.push_back(begun);
    pushes.push_back(torch::tensor(episode.pushes));
    better.push_back(as_tensor(advantages(rewards, numbers_of(expected), discount, decay)));
    returns.push_back(better.back() + expected.narrow(0, 0, episode.steps()));
  }
  const auto all = torch::cat(better);
  return {.states = torch::cat(states),
          .pushes = torch::cat(pushes),
          .advantages = (all - all.mean()) / all.std().clamp_min(1e-8),
          .returns = torch::cat(returns)};
}

}  // namespace stillpoint::app
