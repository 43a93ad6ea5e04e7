#include "flow_study.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "flow_learner.h"
#include "plane_panels.h"
#include "study_parts.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kShownSamples = 1000, kMoments = 3;

FlowLearner& flow_of(const StudiedVariant& variant) { return dynamic_cast<FlowLearner&>(*variant.learner); }

/// Half the side of a square that holds the density.
double half_width(const PlaneDensity& density) {
  return density.ridge.abs().max().item<double>() + 3 * density.deviation + 0.1;
}

/// What a flow makes of its base, over the density that it has.
Panel density_panel(const StudiedVariant& variant) {
  auto& flow = flow_of(variant);
  const double side = half_width(flow.density());
  const auto samples = flow.way_of(torch::randn({kShownSamples, 2}), 2).select(1, 1);
  return {
      .title = fmt::format("{}: density and samples", variant.name),
      .x_label = "",
      .y_label = "",
      .settings = map_settings(side),
      .curves = {{.title = "samples",
                  .style = "points pointtype 7 pointsize 0.35",
                  .points = places(samples)}},
      .surface = surface_over(side, [&](const at::Tensor& points) { return flow.log_prob(points).exp(); })};
}

/// The same samples on their way from the base.
std::vector<Panel> moments(const StudiedVariant& variant) {
  auto& flow = flow_of(variant);
  const auto way = flow.way_of(torch::randn({kShownSamples, 2}), kMoments + 1);
  std::vector<Panel> panels;
  for (std::int64_t i = 0; i < kMoments; ++i) {
    const double part = static_cast<double>(i) / kMoments;
    panels.push_back({.title = fmt::format("{}: {:.0f} % of the way", variant.name, 100 * part),
                      .x_label = "",
                      .y_label = "",
                      .settings = map_settings(std::max(3.0, half_width(flow.density()))),
                      .curves = {{.title = "",
                                  .style = "points pointtype 7 pointsize 0.35",
                                  .points = places(way.select(1, i))}}});
  }
  return panels;
}

/// A figure of the rounds of all variants, less what `zero` says of each.
Panel course_panel_of(const std::vector<StudiedVariant>& variants, const std::string& figure, Panel panel,
                      const std::function<double(const StudiedVariant&)>& zero) {
  panel.x_label = "steps";
  panel.settings = "set size nosquare\nset xrange [0:*]\nset xtics auto\nset ytics auto\n" + panel.settings;
  for (const auto& variant : variants) {
    Curve curve{.title = variant.name, .style = "lines linewidth 3", .points = {}};
    const double less = zero(variant);
    for (const auto& figures : variant.rounds) {
      const auto found = std::ranges::find(figures, figure, &Figures::value_type::first);
      const auto steps = FlowLearner::kStepsOfARound * (curve.points.size() + 1);
      curve.points.emplace_back(steps, found->second - less);
    }
    panel.curves.push_back(std::move(curve));
  }
  return panel;
}

double floor_of(const StudiedVariant& variant) { return variant.learner->results()["floor"].get<double>(); }

std::vector<Panel> flow_picture(const std::vector<StudiedVariant>& variants) {
  std::vector<Panel> panels;
  for (const auto& variant : variants) panels.push_back(density_panel(variant));
  if (!variants.empty()) std::ranges::move(moments(variants.front()), std::back_inserter(panels));
  panels.push_back(course_panel_of(variants, "nats",
                                   {.title = "Nats above the floor, in training",
                                    .x_label = "",
                                    .y_label = "",
                                    .settings = "set yrange [0:1]\nset key top right\n",
                                    .curves = {}},
                                   floor_of));
  panels.push_back(course_panel_of(variants, "evaluations",
                                   {.title = "Evaluations of the field in a solve",
                                    .x_label = "",
                                    .y_label = "",
                                    .settings = "set yrange [0:*]\nset key bottom right\n",
                                    .curves = {}},
                                   [](const StudiedVariant&) { return 0.0; }));
  return panels;
}

}  // namespace

Study flow_study() {
  const FlowRecipe exact, estimated{.trace = nn::Trace::Hutchinson},
      regular{.trace = nn::Trace::Hutchinson, .penalty = 0.01};
  return {.name = "cnf",
          .description = "A continuous normalizing flow from samples to a normal distribution in the plane",
          .rounds = 50,
          .variants = {learner_of<FlowLearner>("circles", two_circles(), exact),
                       learner_of<FlowLearner>("gaussians", eight_blots(), exact),
                       learner_of<FlowLearner>("moons", two_moons(), exact),
                       learner_of<FlowLearner>("circles-estimated", two_circles(), estimated),
                       learner_of<FlowLearner>("circles-regular", two_circles(), regular)},
          .picture = flow_picture};
}

}  // namespace stillpoint::app
