#include <torch/serialize.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "maml_learner.h"
#include "maml_study.h"
#include "support.h"

// Meta-learning of sinusoids.

namespace stillpoint::app::testing {
namespace {

using Gradient = MamlLearner::Gradient;

double figure(const Figures& figures, const std::string& name) {
  for (const auto& [key, value] : figures) {
    if (key == name) {
      return value;
    }
  }
  ADD_FAILURE() << "no figure " << name;
  return 0;
}

Figures rounds_of(MamlLearner& learner, int count) {
  Figures last;
  for (int round = 0; round < count; ++round) {
    last = learner.run_round();
  }
  return last;
}

TEST(Sinusoids, AreThosePublished) {
  torch::manual_seed(1);
  const auto tasks = Sinusoids::draw(4000);
  const auto points = tasks.points(10);
  EXPECT_NEAR(tasks.amplitude.min().item<double>(), 0.1, 0.01);
  EXPECT_NEAR(tasks.amplitude.max().item<double>(), 5.0, 0.01);
  EXPECT_NEAR(tasks.phase.min().item<double>(), 0.0, 0.01);
  EXPECT_NEAR(tasks.phase.max().item<double>(), M_PI, 0.01);
  EXPECT_NEAR(points.x.abs().max().item<double>(), 5.0, 0.01);
  // At its phase a sinusoid is zero, a quarter further its amplitude.
  EXPECT_LT(tasks(tasks.phase).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(torch::allclose(tasks(tasks.phase + M_PI / 2), tasks.amplitude));
}

TEST(Sinusoids, HaveANetworkForEachTask) {
  torch::manual_seed(2);
  auto weights = shared_by(3, initial_weights());
  const auto points = Sinusoids::draw(3).points(7);
  const auto together = predict(weights, points.x);
  for (std::int64_t task = 0; task < 3; ++task) {
    auto values = points.x[task];
    for (std::size_t i = 0; i < weights.size(); i += 2) {
      values = torch::mm(values, weights[i][task]) + weights[i + 1][task];
      values = i + 2 < weights.size() ? values.relu() : values;
    }
    EXPECT_TRUE(torch::allclose(together[task], values, 1e-5, 1e-6));
  }
}

TEST(Maml, LearnsToAdapt) {
  for (const auto gradient : {Gradient::Exact, Gradient::FirstOrder, Gradient::Implicit}) {
    torch::manual_seed(3);
    MamlLearner learner(10, gradient);
    EXPECT_EQ(learner.parameters(), 1761);
    const bool implicit = gradient == Gradient::Implicit;
    const auto before = figure(learner.run_round(), "loss");
    const auto after = rounds_of(learner, implicit ? 2 : 8);
    EXPECT_LT(figure(after, "loss"), implicit ? before : 0.7 * before);
    EXPECT_LT(figure(after, "mse_after_1"), figure(after, "mse_after_0"));
    const auto results = learner.results();
    ASSERT_EQ(results["mse_after_steps"].size(), 11U);
    ASSERT_EQ(results["margin_after_steps"].size(), 11U);
    EXPECT_LT(results["mse_after_10"].get<double>(), results["mse_after_1"].get<double>());
    EXPECT_EQ(results["mse_after_1"], results["mse_after_steps"][1]);
  }
}

TEST(Maml, GoesOnFromWhatWasSaved) {
  torch::manual_seed(4);
  MamlLearner learner(5, Gradient::Exact);
  learner.run_round();
  torch::serialize::OutputArchive saved;
  learner.save(saved);
  std::stringstream bytes;
  saved.save_to(bytes);
  MamlLearner other(5, Gradient::Exact);
  torch::serialize::InputArchive archive;
  archive.load_from(bytes);
  other.load(archive);
  torch::manual_seed(5);
  const auto expected = learner.run_round();
  torch::manual_seed(5);
  EXPECT_EQ(other.run_round(), expected);
}

TEST(Maml, PicturesEachVariant) {
  const auto study = maml_study();
  std::vector<StudiedVariant> variants;
  for (const auto& variant : study.variants) {
    variants.push_back({.name = variant.name, .learner = variant.make({})});
  }
  const auto panels = study.picture(variants);
  ASSERT_EQ(panels.size(), 4U);
  const std::vector<std::size_t> shots{10, 5, 10, 10};
  for (std::size_t i = 0; i < panels.size(); ++i) {
    EXPECT_EQ(panels[i].title.rfind(study.variants[i].name + ":", 0), 0U) << panels[i].title;
    ASSERT_EQ(panels[i].curves.size(), 5U);
    EXPECT_EQ(panels[i].curves.back().points.size(), shots[i]);
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
