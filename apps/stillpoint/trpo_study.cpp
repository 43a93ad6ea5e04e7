#include "trpo_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "study_parts.h"
#include "trpo_learner.h"

namespace stillpoint::app {
namespace {

template <class Policy>
NetworkPointer new_policy() {
  return std::make_shared<Policy>();
}

const TrpoLearner& learner_in(const StudiedVariant& variant) {
  return dynamic_cast<const TrpoLearner&>(*variant.learner);
}

Panel return_panel(const std::vector<StudiedVariant>& variants) {
  Panel panel{.title = "Learning",
              .x_label = "round of 2,000 steps",
              .y_label = "mean return of its episodes",
              .settings = {},
              .curves = {}};
  std::size_t last = 1;
  for (const auto& variant : variants) {
    Curve curve{
        .title = variant.name, .style = "linespoints linewidth 2.5 pointtype 7 pointsize 0.6", .points = {}};
    for (const double one : learner_in(variant).mean_returns()) {
      curve.points.emplace_back(curve.points.size() + 1, one);
    }
    last = std::max(last, curve.points.size());
    panel.curves.push_back(std::move(curve));
  }
  panel.curves.push_back({.title = "solved",
                          .style = "lines linewidth 1.5 dashtype 2",
                          .points = {{0, kSolvedReturn}, {last + 1, kSolvedReturn}},
                          .colored = false});
  panel.settings = fmt::format(
      "unset logscale\nset key bottom right\nset xrange [0:{}]\nset yrange [0:210]\n"
      "set xtics auto\nset ytics auto\n",
      last + 1);
  return panel;
}

Curve angle_curve(std::string title, const std::vector<double>& degrees, bool colored) {
  Curve curve{.title = std::move(title), .style = "lines linewidth 2.5", .points = {}, .colored = colored};
  for (const double one : degrees) {
    curve.points.emplace_back(CartPole::kSeconds * static_cast<double>(curve.points.size()), one);
  }
  return curve;
}

Panel angle_panel(const std::vector<StudiedVariant>& variants) {
  Panel panel{.title = "The pole of one episode",
              .x_label = "seconds",
              .y_label = "degrees from upright",
              .settings =
                  "unset logscale\nset key at graph 1, graph 0.9\nset xrange [0:4]\nset yrange [-14:14]\n"
                  "set xtics 1\nset ytics 4\n",
              .curves = {}};
  panel.curves.push_back(angle_curve("before training", learner_in(variants.front()).first_angles(), false));
  for (const auto& variant : variants) {
    panel.curves.push_back(angle_curve(variant.name, learner_in(variant).angles(), true));
  }
  for (const double limit : {-12.0, 12.0}) {
    panel.curves.push_back({.title = limit < 0 ? "fallen" : "",
                            .style = "lines linewidth 1.5 dashtype 2",
                            .points = {{0, limit}, {4, limit}},
                            .colored = false});
  }
  return panel;
}

}  // namespace

Study trpo_study() {
  return {.name = "trpo",
          .description = "a policy that holds a pole on a cart, by steps in a trust region",
          .rounds = 25,
          .variants = {learner_of<TrpoLearner>("tanh", new_policy<TanhPolicy>, TrustRegion{}),
                       learner_of<TrpoLearner>("equilibrium", new_policy<EquilibriumPolicy>, TrustRegion{}),
                       learner_of<TrpoLearner>("plain-gradient", new_policy<TanhPolicy>,
                                               TrustRegion{.products = 0})},
          .picture = [](const std::vector<StudiedVariant>& variants) -> std::vector<Panel> {
            return {return_panel(variants), angle_panel(variants)};
          }};
}

}  // namespace stillpoint::app
