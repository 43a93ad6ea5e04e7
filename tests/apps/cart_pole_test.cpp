#include "cart_pole.h"

#include <torch/types.h>

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "episodes.h"
#include "support.h"

namespace stillpoint::app::testing {
namespace {

/// Pushes as it is told.
class FixedPolicy : public Network {
 public:
  explicit FixedPolicy(std::function<at::Tensor(const at::Tensor&)> to_the_right)
      : to_the_right_(std::move(to_the_right)) {}

  at::Tensor forward(const at::Tensor& states) override {
    const auto logit = to_the_right_(states);
    return torch::stack({torch::zeros_like(logit), logit}, 1);
  }

 private:
  std::function<at::Tensor(const at::Tensor&)> to_the_right_;
};

/// A linear controller that holds the pole for as long as it is let.
FixedPolicy steady() {
  return FixedPolicy([](const at::Tensor& states) {
    return 1e3 * states.matmul(torch::tensor({0.5, 1.0, 10.0, 2.0}, torch::kDouble));
  });
}

/// Knows nothing: each push is drawn.
FixedPolicy aimless() {
  return FixedPolicy([](const at::Tensor& states) { return torch::zeros_like(states.select(1, 0)); });
}

// Three steps of Gym's equations, from a separate program.
TEST(CartPole, MovesAsInGym) {
  const CartPole start{.position = 0.01, .velocity = -0.02, .angle = 0.03, .rotation = 0.04};
  const std::vector<std::pair<bool, CartPole>> expected{
      {true, {0.009600000000000, 0.174679195747555, 0.030800000000000, -0.243068717960008}},
      {true, {0.013093583914951, 0.369347976057956, 0.025938625640800, -0.525879628050148}},
      {false, {0.020480543436110, 0.173870812604816, 0.015421033079797, -0.225137416092375}}};
  auto state = start;
  for (const auto& [right, after] : expected) {
    state = state.pushed(right);
    EXPECT_NEAR(state.position, after.position, 1e-14);
    EXPECT_NEAR(state.velocity, after.velocity, 1e-14);
    EXPECT_NEAR(state.angle, after.angle, 1e-14);
    EXPECT_NEAR(state.rotation, after.rotation, 1e-14);
  }
}

// The accelerations of a step, put into Lagrange's equations of a cart of 1 kg and a rod of 0.1 kg and 1 m.
TEST(CartPole, ObeysTheEquationsOfMotion) {
  for (const bool right : {false, true}) {
    const CartPole before{.position = 1, .velocity = 0.7, .angle = 0.2, .rotation = -1.5};
    const auto after = before.pushed(right);
    const double x = (after.velocity - before.velocity) / CartPole::kSeconds;
    const double turn = (after.rotation - before.rotation) / CartPole::kSeconds;
    const double sine = std::sin(before.angle), cosine = std::cos(before.angle);
    const double square = before.rotation * before.rotation;
    EXPECT_NEAR(1.1 * x + 0.05 * turn * cosine - 0.05 * square * sine, right ? 10 : -10, 1e-11);
    EXPECT_NEAR(0.1 / 3 * turn + 0.05 * x * cosine, 0.05 * 9.8 * sine, 1e-12);
  }
}

TEST(CartPole, FallsBeyondItsLimits) {
  const double degree = std::acos(-1.0) / 180;
  EXPECT_FALSE((CartPole{.position = 2.4, .angle = 11.99 * degree}.fallen()));
  EXPECT_FALSE((CartPole{.position = -2.4, .angle = -11.99 * degree}.fallen()));
  EXPECT_TRUE((CartPole{.position = 2.41}.fallen()));
  EXPECT_TRUE((CartPole{.position = -2.41}.fallen()));
  EXPECT_TRUE((CartPole{.angle = 12.01 * degree}.fallen()));
  EXPECT_TRUE((CartPole{.angle = -12.01 * degree}.fallen()));
}

TEST(Episodes, ArePlayedToTheirEnd) {
  torch::manual_seed(1);
  auto policy = aimless();
  const auto episodes = play(policy, 500, 4);
  std::int64_t steps = 0;
  for (const auto& episode : episodes) {
    ASSERT_EQ(std::ssize(episode.states), episode.steps() + 1);
    EXPECT_TRUE(episode.states.back().fallen());
    for (std::size_t t = 0; t < episode.pushes.size(); ++t) {
      const auto& state = episode.states[t];
      EXPECT_FALSE(state.fallen());
      const auto after = state.pushed(episode.pushes[t] == 1);
      EXPECT_EQ(after.angle, episode.states[t + 1].angle);
      EXPECT_EQ(after.velocity, episode.states[t + 1].velocity);
    }
    steps += episode.steps();
  }
  EXPECT_GE(steps, 500);
  EXPECT_LT(steps, 500 + 4 * kHorizon);
  EXPECT_GT(episodes.size(), 4U);
}

TEST(Episodes, EndAtTheHorizon) {
  torch::manual_seed(1);
  auto policy = steady();
  const auto episodes = play(policy, 2000, 10);
  ASSERT_EQ(episodes.size(), 10U);
  for (const auto& episode : episodes) {
    EXPECT_EQ(episode.steps(), kHorizon);
    EXPECT_FALSE(episode.states.back().fallen());
  }
  EXPECT_EQ(demonstrate(policy).steps(), kHorizon);
}

TEST(Episodes, BeginAsInGym) {
  torch::manual_seed(1);
  auto policy = aimless();
  std::vector<CartPole> starts;
  for (const auto& episode : play(policy, 20000, 50)) starts.push_back(episode.states.front());
  const auto all = to_tensor(starts);
  EXPECT_LE(all.abs().max().item<double>(), 0.05);
  // Of some 900 numbers; the standard errors are 0.001 and 0.0003.
  EXPECT_LT(all.mean(0).abs().max().item<double>(), 0.005);
  EXPECT_LT((all.std(0) - 0.1 / std::sqrt(12.0)).abs().max().item<double>(), 0.0015);
}

TEST(Advantages, AreTheDiscountedSumOfSurprises) {
  const std::vector<double> rewards{1, -2, 3, 0.5, 1}, values{0.3, 2, -1, 4, 0.7, 1.5};
  const double discount = 0.9, decay = 0.8;
  const auto found = advantages(rewards, values, discount, decay);
  ASSERT_EQ(found.size(), rewards.size());
  for (std::size_t t = 0; t < rewards.size(); ++t) {
    double sum = 0;
    for (std::size_t k = t; k < rewards.size(); ++k) {
      const double surprise = rewards[k] + discount * values[k + 1] - values[k];
      sum += std::pow(discount * decay, static_cast<double>(k - t)) * surprise;
    }
    EXPECT_NEAR(found[t], sum, 1e-14);
  }
  EXPECT_THROW(advantages(rewards, rewards, discount, decay), c10::Error);
}

/// The same value of every state.
class Constant : public Network {
 public:
  explicit Constant(double value) : value_(value) {}
  at::Tensor forward(const at::Tensor& states) override {
    return torch::full({states.size(0), 1}, value_, states.options());
  }

 private:
  double value_;
};

// With a decay of 1, value + advantage is the discounted return. What comes after the end is worth nothing if
// the pole fell, and the expected value if only the time was over.
TEST(Experience, KnowsWhatCouldHaveFollowed) {
  torch::manual_seed(1);
  const double discount = 0.9, expected = 7;
  Constant value(expected);
  auto falls = aimless();
  auto holds = steady();
  auto episodes = play(falls, 1, 1);
  ASSERT_EQ(episodes.size(), 1U);
  episodes.push_back(play(holds, 1, 1).front());
  const auto experience = learn_from(episodes, value, discount, 1);
  const auto total = episodes[0].steps() + kHorizon;
  ASSERT_EQ(experience.states.size(0), total);
  ASSERT_EQ(experience.pushes.size(0), total);
  const auto earned = [&](std::int64_t steps, double after) {
    return (1 - std::pow(discount, steps)) / (1 - discount) + std::pow(discount, steps) * after;
  };
  const auto first = episodes[0].steps();
  for (std::int64_t t = 0; t < total; ++t) {
    const double after = t < first ? earned(first - t, 0) : earned(total - t, expected);
    EXPECT_NEAR(experience.returns[t].item<double>(), after, 1e-12);
  }
  EXPECT_NEAR(experience.advantages.mean().item<double>(), 0, 1e-14);
  EXPECT_NEAR(experience.advantages.std().item<double>(), 1, 1e-14);
}

}  // namespace
}  // namespace stillpoint::app::testing
