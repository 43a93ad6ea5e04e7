#include "hypernewton_study.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "experiment_parts.h"
#include "logistic_learner.h"

namespace stillpoint::app {
namespace {

template <class Kind>
StudyVariant of_images(std::string name) {
  return {std::move(name), [](const std::filesystem::path& data) -> std::unique_ptr<Learner> {
            return std::make_unique<Kind>(load_images(data, c10::kCPU));
          }};
}

double figure(const Figures& figures, const std::string& name) {
  return std::ranges::find(figures, name, &Figures::value_type::first)->second;
}

Panel by_passes(const std::vector<StudiedVariant>& variants, const std::string& name, double less,
                Panel panel) {
  panel.x_label = "passes over the training images";
  for (const auto& variant : variants) {
    Curve curve{
        .title = variant.name, .style = "linespoints linewidth 2 pointtype 7 pointsize 0.6", .points = {}};
    for (const auto& figures : variant.rounds) {
      curve.points.emplace_back(figure(figures, "passes"), figure(figures, name) - less);
    }
    panel.curves.push_back(std::move(curve));
  }
  return panel;
}

std::vector<Panel> picture(const std::vector<StudiedVariant>& variants) {
  double lowest = std::numeric_limits<double>::infinity();
  for (const auto& variant : variants) {
    for (const auto& figures : variant.rounds) {
      lowest = std::min(lowest, figure(figures, "loss"));
    }
  }
  const std::string logarithmic = "set logscale y\nset format y '10^{%L}'\nset xrange [0:*]\n";
  return {by_passes(variants, "loss", lowest,
                    {.title = "Loss above the lowest",
                     .x_label = {},
                     .y_label = "nats",
                     .settings = logarithmic,
                     .curves = {}}),
          by_passes(variants, "gradient_norm", 0,
                    {.title = "Norm of the gradient",
                     .x_label = {},
                     .y_label = {},
                     .settings = logarithmic,
                     .curves = {}}),
          by_passes(variants, "test_error", 0,
                    {.title = "Test error",
                     .x_label = {},
                     .y_label = "fraction of wrong labels",
                     .settings = "unset logscale\nset format y '%g'\nset xrange [0:*]\n",
                     .curves = {}})};
}

}  // namespace

Study hypernewton_study() {
  return {
      .name = "hypernewton",
      .description = "Logistic regression on images by Newton-CG, L-BFGS and Adam, by passes over the data",
      .rounds = 20,
      .data = kFashion,
      .variants = {of_images<NewtonCgLogistic>("newton-cg"), of_images<LbfgsLogistic>("lbfgs"),
                   of_images<AdamLogistic>("adam")},
      .picture = picture};
}

}  // namespace stillpoint::app
