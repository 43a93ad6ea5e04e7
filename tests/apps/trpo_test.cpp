#include <torch/serialize.h>
#include <torch/types.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "flat_weights.h"
#include "policy.h"
#include "policy_step.h"
#include "stillpoint/autograd/products.h"
#include "support.h"
#include "trpo_learner.h"

namespace stillpoint::app::testing {
namespace {

NetworkPointer make_tanh() { return std::make_shared<TanhPolicy>(); }
NetworkPointer make_equilibrium() { return std::make_shared<EquilibriumPolicy>(); }

at::Tensor log_probabilities_of(Network& policy, const at::Tensor& states) {
  return policy.forward(states).log_softmax(1);
}

/// The mean of Σ p ∇log p ∇log pᵀ over states, which is what the Fisher matrix is by definition.
at::Tensor matrix_of_scores(Network& policy, const at::Tensor& states) {
  const auto scores =
      jacobian([&] { return log_probabilities_of(policy, states).flatten(); }, policy.parameters());
  std::vector<at::Tensor> columns;
  for (const auto& one : scores) columns.push_back(one.flatten(1));
  const auto all = torch::cat(columns, 1);
  const auto weights = log_probabilities_of(policy, states).exp().flatten().detach() / states.size(0);
  return all.t().matmul(weights.unsqueeze(1) * all);
}

/// Of the mean advantage, where the policy is the one that played: the policy gradient.
at::Tensor advantage_gradient(Network& policy, const Experience& experience) {
  const auto chosen =
      log_probabilities_of(policy, experience.states).gather(1, experience.pushes.unsqueeze(1));
  const auto mean = (chosen.squeeze(1) * experience.advantages).mean();
  return flattened(torch::autograd::grad({mean}, policy.parameters()));
}

struct PolicyCase {
  const char* name;
  NetworkPointer (*make)();
};

class Policies : public ::testing::TestWithParam<PolicyCase> {
 protected:
  void SetUp() override {
    torch::manual_seed(5);
    policy = GetParam().make();
    // Larger weights than new ones, so that the pushes are not all equally probable.
    set_weights(policy->parameters(), 1.5 * flattened(policy->parameters()));
  }

  Experience some_experience(std::int64_t steps) {
    ValueNetwork value(10);
    return learn_from(play(*policy, steps, 10), value, 0.99, 0.97);
  }

  NetworkPointer policy;
};

TEST_P(Policies, HaveTheFisherMatrixOfTheirScores) {
  const auto states = torch::randn({6, 4}, torch::kDouble);
  const auto matrix = matrix_of_scores(*policy, states);
  const auto fisher = fisher_matrix(*policy, states);
  for (int i = 0; i < 3; ++i) {
    const auto v = torch::randn({matrix.size(0)}, torch::kDouble);
    const auto expected = matrix.mv(v);
    const auto error =
        (flattened(fisher(split_like(v, policy->parameters()))) - expected).norm() / expected.norm();
    EXPECT_LT(error.item<double>(), 1e-8);
  }
}

TEST_P(Policies, KeepTheDivergenceOfEachStep) {
  for (const double limit : {0.01, 1.0}) {
    const auto experience = some_experience(500);
    const auto before = flattened(policy->parameters());
    const auto old = log_probabilities_of(*policy, experience.states).detach();
    const auto step = improve(*policy, experience, {.kl = limit});
    const auto now = log_probabilities_of(*policy, experience.states).detach();
    const double kl = (old.exp() * (old - now)).sum(1).mean().item<double>();
    EXPECT_GT(step.gain, 0);
    EXPECT_LE(kl, limit);
    EXPECT_NEAR(kl, step.kl, 1e-12);
    EXPECT_NEAR((flattened(policy->parameters()) - before).norm().item<double>(), step.length, 1e-12);
    const auto ratio = (now - old).gather(1, experience.pushes.unsqueeze(1)).squeeze(1).exp();
    EXPECT_NEAR(((ratio - 1) * experience.advantages).mean().item<double>(), step.gain, 1e-12);
  }
}

// The iterates of conjugate gradients have dᵀA d = dᵀg, which tells how long the direction was.
TEST_P(Policies, StepAlongTheNaturalGradient) {
  const auto experience = some_experience(20);
  const auto start = flattened(policy->parameters());
  const auto g = advantage_gradient(*policy, experience);
  const auto matrix = matrix_of_scores(*policy, experience.states) + 0.1 * torch::eye(g.size(0), g.options());
  std::vector<double> residuals;
  for (const std::int64_t products : {2, 10}) {
    set_weights(policy->parameters(), start);
    const auto step = improve(*policy, experience, {.products = products});
    const auto direction = flattened(policy->parameters()) - start;
    const auto along = matrix.mv(direction);
    const auto residual = g - along * (direction.dot(g) / direction.dot(along));
    EXPECT_NEAR((residual.norm() / g.norm()).item<double>(), step.cg_residual, 1e-6);
    residuals.push_back(step.cg_residual);
  }
  EXPECT_GT(residuals[0], 1e-4);
  EXPECT_LT(residuals[1], 1e-6);
}

TEST_P(Policies, StepAlongTheGradientWhereNoProductsAreAllowed) {
  const auto experience = some_experience(20);
  const auto start = flattened(policy->parameters());
  const auto g = advantage_gradient(*policy, experience);
  const auto step = improve(*policy, experience, {.products = 0});
  const auto direction = flattened(policy->parameters()) - start;
  EXPECT_LE(step.kl, 0.01);
  EXPECT_NEAR((direction.dot(g) / (direction.norm() * g.norm())).item<double>(), 1, 1e-10);
}

TEST_P(Policies, StayWhereNothingIsBetter) {
  auto experience = some_experience(100);
  const auto before = flattened(policy->parameters());
  experience.advantages.zero_();
  const auto step = improve(*policy, experience, {});
  EXPECT_EQ(step.length, 0);
  EXPECT_EQ(step.kl, 0);
  EXPECT_TRUE(flattened(policy->parameters()).equal(before));
}

TEST_P(Policies, GoOnFromWhatTheySaved) {
  TrpoLearner whole(GetParam().make, {.products = 3}), other(GetParam().make, {.products = 3});
  torch::manual_seed(1);
  whole.run_round();
  torch::serialize::OutputArchive saved;
  whole.save(saved);
  std::stringstream bytes;
  saved.save_to(bytes);
  torch::serialize::InputArchive archive;
  archive.load_from(bytes);
  other.load(archive);
  for (auto* learner : {&whole, &other}) {
    torch::manual_seed(2);
    learner->run_round();
  }
  EXPECT_EQ(whole.results(), other.results());
  EXPECT_EQ(whole.angles(), other.angles());
  EXPECT_EQ(whole.first_angles(), other.first_angles());
}

// Eight rounds are a third of what the study has. Whatever is drawn, a pole that nobody holds falls after
// some 20 steps.
TEST_P(Policies, LearnToHoldThePole) {
  TrpoLearner learner(GetParam().make, {});
  for (int round = 1; round <= 8; ++round) {
    torch::manual_seed(round);
    for (const auto& [name, number] : learner.run_round()) {
      const double largest = name == "kl" ? 0.01 : static_cast<double>(kHorizon);
      EXPECT_GE(number, 0) << name;
      EXPECT_LE(number, largest) << name;
    }
  }
  const auto& returns = learner.mean_returns();
  ASSERT_EQ(returns.size(), 8U);
  EXPECT_GT(returns.back(), 3 * returns.front());
  EXPECT_GT(learner.angles().size(), learner.first_angles().size());
  EXPECT_EQ(learner.results()["mean_return"], returns);
  EXPECT_EQ(learner.results()["last_return"], returns.back());
}

INSTANTIATE_TEST_SUITE_P(All, Policies,
                         ::testing::Values(PolicyCase{"tanh", make_tanh},
                                           PolicyCase{"equilibrium", make_equilibrium}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(NewPolicies, BeginWithTheSameWeightsWhereTheyHaveTheSame) {
  torch::manual_seed(1);
  const auto explicit_one = make_tanh();
  torch::manual_seed(1);
  const auto implicit_one = make_equilibrium();
  for (const auto& parameter : explicit_one->named_parameters()) {
    EXPECT_TRUE(parameter.value().equal(implicit_one->named_parameters()[parameter.key()]));
  }
}

TEST(TrpoResults, AreThereBeforeAnyRound) {
  TrpoLearner learner(make_tanh, {});
  const auto results = learner.results();
  EXPECT_TRUE(results["mean_return"].empty());
  EXPECT_TRUE(results["last_return"].is_null());
  EXPECT_TRUE(results["solved_in_round"].is_null());
  EXPECT_EQ(learner.parameters(), 4 * 32 + 32 + 32 * 2 + 2 + 4 * 32 + 32 + 32 + 1);
}

TEST(TrpoProgram, ReportsAndDrawsEachVariant) {
  const TemporaryDirectory directory;
  const auto report_path = directory / "report.json", plot_path = directory / "plot.svg";
  const auto run = run_program("train --model trpo --threads 1 --epochs 2 --report " + report_path.string() +
                               " --plot " + plot_path.string());
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  const auto report = nlohmann::json::parse(get(report_path));
  const auto picture = get(plot_path);
  ASSERT_EQ(report["variants"].size(), 3U);
  for (const auto& variant : report["variants"]) {
    const auto name = variant["name"].get<std::string>();
    SCOPED_TRACE(variant.dump(1));
    EXPECT_NE(picture.find(name), std::string::npos);
    ASSERT_EQ(variant["mean_return"].size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& round = variant["rounds"][i];
      EXPECT_EQ(round["mean_return"], variant["mean_return"][i]);
      EXPECT_LE(round["kl"].get<double>(), 0.01);
      EXPECT_GT(round["step_length"].get<double>(), 0);
      EXPECT_EQ(round["cg_residual"].is_null(), name == "plain-gradient");
    }
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
