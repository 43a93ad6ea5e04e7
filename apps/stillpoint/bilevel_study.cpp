#include "bilevel_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "experiment_parts.h"
#include "penalty_learner.h"

namespace stillpoint::app {
namespace {

template <class Kind, class... Arguments>
StudyVariant penalties_of(std::string name, FitLoss loss, Arguments... arguments) {
  return {std::move(name), [=](const std::filesystem::path& data) -> std::unique_ptr<Learner> {
            return std::make_unique<Kind>(loss, penalty_data(loss, load_images(data, c10::kCPU)),
                                          arguments...);
          }};
}

// The best loss by fits, of the variants whose names begin so.
Panel losses_of(const std::vector<StudiedVariant>& variants, const std::string& model, std::string title) {
  Panel panel{.title = std::move(title),
              .x_label = "fits",
              .y_label = "validation loss",
              .settings = "set size nosquare\nset xtics auto\nset ytics auto\nset xrange [0:*]\n",
              .curves = {}};
  for (const auto& variant : variants) {
    if (!variant.name.starts_with(model)) continue;
    Curve curve{
        .title = variant.name, .style = "linespoints linewidth 2 pointtype 7 pointsize 0.6", .points = {}};
    for (const auto& figures : variant.rounds) {
      curve.points.emplace_back(curve.points.size() + 1, figures.front().second);
    }
    panel.curves.push_back(std::move(curve));
  }
  return panel;
}

// The penalties of each 2 x 2 pixels in their places.
Panel map_of(const StudiedVariant& variant) {
  constexpr int kSide = 14;
  Panel panel{.title = fmt::format("{}: log_{{10}} of the penalties", variant.name),
              .x_label = {},
              .y_label = {},
              .settings = "set size square\nset xrange [-0.5:13.5]\nset yrange [13.5:-0.5]\nunset grid\n",
              .curves = {}};
  Surface surface;
  for (int i = 0; i < kSide; ++i) {
    surface.x.push_back(i);
    surface.y.push_back(i);
  }
  for (const double penalty : dynamic_cast<const PenaltyLearner&>(*variant.learner).penalties()) {
    surface.values.push_back(std::log10(penalty));
  }
  panel.surface = std::move(surface);
  return panel;
}

std::vector<Panel> bilevel_picture(const std::vector<StudiedVariant>& variants) {
  std::vector<Panel> panels{losses_of(variants, "ridge", "Ridge regression"),
                            losses_of(variants, "logistic", "Logistic regression")};
  for (const auto& variant : variants) {
    if (variant.name == "logistic-each") panels.push_back(map_of(variant));
  }
  return panels;
}

}  // namespace

Study bilevel_study() {
  constexpr std::int64_t kOne = 1;
  const auto squares = FitLoss::Squares, entropy = FitLoss::CrossEntropy;
  return {
      .name = "bilevel",
      .description = "Penalties of ridge and logistic regression on images, by hyper-gradient and by grid",
      .rounds = 20,
      .data = kFashion,
      .variants = {penalties_of<GridLearner>("ridge-grid", squares),
                   penalties_of<HypergradientLearner>("ridge-one", squares, kOne),
                   penalties_of<HypergradientLearner>("ridge-each", squares, kPenaltyFeatures),
                   penalties_of<GridLearner>("logistic-grid", entropy),
                   penalties_of<HypergradientLearner>("logistic-one", entropy, kOne),
                   penalties_of<HypergradientLearner>("logistic-each", entropy, kPenaltyFeatures)},
      .picture = bilevel_picture};
}

}  // namespace stillpoint::app
