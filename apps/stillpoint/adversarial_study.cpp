#include "adversarial_study.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <utility>

#include "adversarial_learner.h"
#include "plane_panels.h"
#include "study_parts.h"

namespace stillpoint::app {
namespace {

constexpr double kHalfWidth = 2.3;  // of what is shown of the plane
constexpr std::int64_t kShownPoints = 1000;

/// Samples of a generator over the data and the critic's level lines.
Panel map_panel(const StudiedVariant& variant) {
  auto& learner = dynamic_cast<AdversarialLearner&>(*variant.learner);
  const torch::NoGradGuard no_grad;
  Panel panel{
      .title = fmt::format("{}: {}, and what the critic says", variant.name, learner.cloud().name),
      .x_label = "",
      .y_label = "",
      .settings = map_settings(kHalfWidth),
      .curves = {},
      .surface = surface_over(kHalfWidth, [&](const at::Tensor& points) { return learner.judge(points); })};
  panel.curves.push_back({.title = "data",
                          .style = "points pointtype 7 pointsize 0.4",
                          .points = places(learner.cloud().draw(kShownPoints)),
                          .colored = false});
  panel.curves.push_back({.title = "generated",
                          .style = "points pointtype 7 pointsize 0.35",
                          .points = places(learner.generate(kShownPoints))});
  return panel;
}

/// A figure of the rounds of all variants.
Panel course_of(const std::vector<StudiedVariant>& variants, const std::string& figure,
                const std::string& title, const std::string& settings) {
  Panel panel{.title = title,
              .x_label = "steps of the generator",
              .y_label = "",
              .settings = "set size nosquare\nset xrange [0:*]\nset xtics auto\nset ytics auto\n" + settings,
              .curves = {}};
  for (const auto& variant : variants) {
    Curve curve{.title = variant.name, .style = "lines linewidth 3", .points = {}};
    for (const auto& figures : variant.rounds) {
      const auto found = std::ranges::find(figures, figure, &Figures::value_type::first);
      const auto steps = AdversarialLearner::kStepsOfARound * (curve.points.size() + 1);
      curve.points.emplace_back(steps, found->second);
    }
    panel.curves.push_back(std::move(curve));
  }
  return panel;
}

std::vector<Panel> adversarial_picture(const std::vector<StudiedVariant>& variants) {
  std::vector<Panel> panels;
  for (const auto& variant : variants) {
    panels.push_back(map_panel(variant));
  }
  panels.push_back(course_of(variants, "distance", "Wasserstein distance, as the critic estimates it",
                             "set logscale y\nset yrange [*:*]\nset key top right\n"));
  panels.push_back(course_of(variants, "within", "Share of samples within 0.15 of a mode, or of the roll",
                             "unset logscale\nset yrange [0:1]\nset key bottom right\n"));
  panels.push_back(course_of(variants, "median_distance", "Median distance to a mode, or to the roll",
                             "set logscale y\nset yrange [*:*]\nset key top right\n"));
  return panels;
}

}  // namespace

Study adversarial_study() {
  return {.name = "wgan-gp",
          .description = "A generator of points in the plane and a critic, with a penalty on its gradient",
          .rounds = 30,
          .variants = {learner_of<AdversarialLearner>("gaussians", eight_gaussians(), CriticKind::Explicit),
                       learner_of<AdversarialLearner>("swiss-roll", swiss_roll(), CriticKind::Explicit),
                       learner_of<AdversarialLearner>("equilibrium-critic", eight_gaussians(),
                                                      CriticKind::Equilibrium)},
          .picture = adversarial_picture};
}

}  // namespace stillpoint::app
