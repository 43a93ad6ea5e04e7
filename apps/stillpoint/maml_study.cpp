#include "maml_study.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <torch/types.h>

#include "maml_learner.h"
#include "study_parts.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kMostShots = 10;

Curve curve_through(std::string title, std::string style, const Points& points, bool colored) {
  Curve curve{.title = std::move(title), .style = std::move(style), .points = {}, .colored = colored};
  for (std::int64_t i = 0; i < points.x.size(1); ++i) {
    curve.points.emplace_back(points.x[0][i].item<double>(), points.y[0][i].item<double>());
  }
  return curve;
}

/// The same task for all.
struct AdaptationExample {
  Sinusoids task = {torch::full({1, 1, 1}, 3.5), torch::full({1, 1, 1}, 0.8)};
  Points all;  ///< to adapt to
  at::Tensor x = torch::linspace(-5, 5, 101).view({1, 101, 1});

  AdaptationExample() {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{3});
    all.x = 10 * torch::rand({1, kMostShots, 1}, generator, torch::kFloat) - 5;
    all.y = task(all.x);
  }
  Points support(std::int64_t shots) const { return {all.x.narrow(1, 0, shots), all.y.narrow(1, 0, shots)}; }
};

Panel adaptation_panel(const StudiedVariant& variant, const AdaptationExample& example) {
  const torch::NoGradGuard no_grad;
  const auto& learner = dynamic_cast<const MamlLearner&>(*variant.learner);
  const auto support = example.support(learner.shots());
  const auto after = learner.adapted(support, 10);
  const Points truth{example.x, example.task(example.x)};
  const auto learnt = [&](std::size_t steps) -> Points {
    return {example.x, predict(after[steps], example.x)};
  };
  const auto error = [&](std::size_t steps) { return squared_errors(after[steps], truth)[0].item<double>(); };
  return {
      .title = fmt::format("{}: squared error {:.2f}, {:.2f}, {:.2f}", variant.name, error(0), error(1),
                           error(10)),
      .x_label = "x",
      .y_label = "y",
      .settings =
          "unset logscale\nset format y '%g'\nset xrange [-5:5]\nset yrange [-10:5.5]\n"
          "set xtics auto\nset key bottom right\n",
      .curves = {curve_through("truth", "lines linewidth 2 dashtype 2", truth, false),
                 curve_through("before", "lines linewidth 1.5", learnt(0), true),
                 curve_through("after 1 step", "lines linewidth 2", learnt(1), true),
                 curve_through("after 10 steps", "lines linewidth 3", learnt(10), true),
                 curve_through("points to adapt to", "points pointtype 7 pointsize 1.3", support, false)}};
}

std::vector<Panel> adaptation_panels(const std::vector<StudiedVariant>& variants) {
  const AdaptationExample example;
  std::vector<Panel> panels;
  panels.reserve(variants.size());
  for (const auto& variant : variants) panels.push_back(adaptation_panel(variant, example));
  return panels;
}

}  // namespace

Study maml_study() {
  using Gradient = MamlLearner::Gradient;
  return {.name = "maml",
          .description =
              "Meta-learning of sinusoids, 25 tasks of a few points at a time, by a network of 1-40-40-1; a "
              "round is 100 steps of Adam",
          .rounds = 100,
          .variants = {learner_of<MamlLearner>("maml", 10, Gradient::Exact),
                       learner_of<MamlLearner>("maml-5-shot", 5, Gradient::Exact),
                       learner_of<MamlLearner>("first-order", 10, Gradient::FirstOrder),
                       learner_of<MamlLearner>("imaml", 10, Gradient::Implicit)},
          .picture = adaptation_panels};
}

}  // namespace stillpoint::app
