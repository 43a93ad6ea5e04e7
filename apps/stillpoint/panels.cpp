#include "panels.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <numbers>

namespace stillpoint::app {
namespace {

/// What is shown of an error: percent, bits a character, or the squared error.
struct Scale {
  const char* title;
  const char* label;
  double Pass::*number;
  double factor;
};

Scale scale_of(Task task) {
  switch (task) {
    case Task::Classes:
    case Task::Shares:
      return {"Test error", "wrong labels (%)", &Pass::error, 100};
    case Task::Choices:
      return {"Test error", "sets with a wrong choice (%)", &Pass::error, 100};
    case Task::Boards:
      return {"Test error", "wrong boards (%)", &Pass::error, 100};
    case Task::Characters:
      return {"Test text", "bits a character", &Pass::loss, 1 / std::numbers::ln2};
    case Task::Trajectories:
      return {"Test error", "mean absolute error", &Pass::error, 1};
    case Task::Signals:
    case Task::Numbers:
      break;
  }
  return {"Test error", "mean squared error", &Pass::error, 1};
}

std::vector<std::pair<double, double>> points_of(const at::Tensor& x, const at::Tensor& y) {
  std::vector<std::pair<double, double>> points;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    points.emplace_back(x[i].item<double>(), y[i].item<double>());
  }
  return points;
}

}  // namespace

Panel error_panel(Task task, const std::vector<VariantResult>& results) {
  const auto scale = scale_of(task);
  Panel panel{.title = scale.title, .x_label = "epoch", .y_label = scale.label, .settings = {}, .curves = {}};
  std::int64_t first = 1, last = 1;
  double low = 1e9, high = 0;
  for (const auto& result : results) {
    // Variants that agree cover each other: the earlier, the wider.
    const auto width = 2 * (results.size() - panel.curves.size());
    Curve curve{.title = result.name,
                .style = fmt::format("linespoints linewidth {} pointtype 7 pointsize 0.{}", width, width),
                .points = {}};
    for (const auto& epoch : result.epochs) {
      const double shown = scale.factor * epoch.test.*scale.number;
      curve.points.emplace_back(epoch.number, shown);
      last = std::max(last, epoch.number);
    }
    if (curve.points.empty()) {
      curve.points.emplace_back(0, result.bits_per_character.value_or(scale.factor * result.test_error));
      first = 0;
    }
    for (const auto& [epoch, shown] : curve.points) {
      low = std::min(low, shown);
      high = std::max(high, shown);
    }
    panel.curves.push_back(std::move(curve));
  }
  const double margin = std::max({0.05 * (high - low), 0.02 * high, 1e-3});
  panel.settings = fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset xtics {}\n",
                               static_cast<double>(first) - 0.2, static_cast<double>(last) + 0.2,
                               std::max(low - margin, 0.0), high + margin, 1 + (last - first) / 10);
  return panel;
}

Panel residual_panel(const std::vector<Trace>& traces, double tolerance) {
  Panel panel{.title = "Residual of one test batch",
              .x_label = "step",
              .y_label = "largest |f(z) - z| of a sample",
              .settings =
                  "set xrange [0:*]\nset yrange [*:*]\nset xtics auto\nset logscale y\n"
                  "set format y '10^{%L}'\nunset mytics\n",
              .curves = {}};
  double last = 1;
  for (const auto& trace : traces) {
    Curve curve{.title = trace.title, .style = "lines linewidth 2.5", .points = {}};
    for (const auto residual : trace.residual) {
      if (residual > 0) {  // for the logarithm
        curve.points.emplace_back(curve.points.size(), residual);
      }
    }
    last = std::max(last, static_cast<double>(trace.residual.size() - 1));
    panel.curves.push_back(std::move(curve));
  }
  if (tolerance > 0) {
    panel.curves.push_back({.title = "tolerance in training",
                            .style = "lines linewidth 1.5 dashtype 2",
                            .points = {{0, tolerance}, {last, tolerance}},
                            .colored = false});
  }
  return panel;
}

namespace {

/// What a network makes of the start of the test example, [T, D].
at::Tensor follow(const TrainedVariant& variant, const Examples& test) {
  variant.network->eval();
  return variant.network->forward(test.inputs)[0];
}

}  // namespace

Panel phase_panel(const std::vector<TrainedVariant*>& variants, const Examples& test) {
  const torch::NoGradGuard no_grad;
  Panel panel{.title = "Phase portrait",
              .x_label = "first",
              .y_label = "second",
              .settings = "set offsets 0, 0, graph 0.3, 0\n",
              .curves = {}};
  const auto add = [&](const std::string& title, const std::string& style, const at::Tensor& y,
                       bool colored) {
    panel.curves.push_back({.title = title,
                            .style = style,
                            .points = points_of(y.select(1, 0), y.select(1, 1)),
                            .colored = colored});
  };
  add("observed", "points pointtype 7 pointsize 0.3", test.targets[0], false);
  for (const auto* variant : variants) {
    const auto width = 2 * (variants.size() - panel.curves.size()) + 3;  // the points are a curve, too
    add(variant->name, fmt::format("lines linewidth {}", width), follow(*variant, test), true);
  }
  return panel;
}

Panel course_panel(const std::vector<TrainedVariant*>& variants, const Examples& test) {
  const torch::NoGradGuard no_grad;
  Panel panel{.title = "Over time",
              .x_label = "time step",
              .y_label = "state",
              .settings = "set offsets 0, 0, 0, 0\n",
              .curves = {}};
  const auto observed = test.targets[0];
  const auto steps = torch::arange(observed.size(0));
  panel.settings += fmt::format("set xtics {}\n", std::max<std::int64_t>(1, observed.size(0) / 4));
  for (std::int64_t d = 0; d < observed.size(1); ++d) {
    panel.curves.push_back({.title = d == 0 ? "observed" : "",
                            .style = "points pointtype 7 pointsize 0.3",
                            .points = points_of(steps, observed.select(1, d)),
                            .colored = false});
  }
  const auto fitted = follow(*variants.front(), test);
  for (std::int64_t d = 0; d < observed.size(1); ++d) {
    panel.curves.push_back(
        {.title = fmt::format("{} of {}", d == 0 ? "first" : "second", variants.front()->name),
         .style = "lines linewidth 2",
         .points = points_of(steps, fitted.select(1, d))});
  }
  return panel;
}

Panel comparison_panel(const std::vector<TrainedVariant*>& variants, const Examples& examples) {
  const torch::NoGradGuard no_grad;
  Panel panel{.title = "Test examples",
              .x_label = "observed",
              .y_label = "fitted",
              .settings = "set key top left\n",
              .curves = {}};
  const double most = examples.targets.max().item<double>();
  panel.curves.push_back({.title = "the same",
                          .style = "lines linewidth 1.5 dashtype 2",
                          .points = {{0, 0}, {most, most}},
                          .colored = false});
  for (const auto* variant : variants) {
    variant->network->eval();
    panel.curves.push_back({.title = variant->name,
                            .style = "points pointtype 7 pointsize 0.5",
                            .points = points_of(examples.targets.flatten(),
                                                variant->network->forward(examples.inputs).flatten())});
  }
  return panel;
}

Panel fit_panel(const std::vector<TrainedVariant*>& variants, const Examples& examples) {
  const torch::NoGradGuard no_grad;
  Panel panel{
      .title = "The fit", .x_label = "x", .y_label = "y", .settings = "set key top left\n", .curves = {}};
  const auto some = examples.slice(0, 300);
  panel.curves.push_back({.title = "training points",
                          .style = "points pointtype 7 pointsize 0.5",
                          .points = points_of(some.inputs, some.targets),
                          .colored = false});
  const auto grid = torch::linspace(-2, 2, 200, examples.inputs.options()).unsqueeze(1);
  for (auto* variant : variants) {
    const auto width = 2 * (variants.size() - panel.curves.size()) + 3;  // the points are a curve, too
    variant->network->eval();
    panel.curves.push_back({.title = variant->name,
                            .style = fmt::format("lines linewidth {}", width),
                            .points = points_of(grid, variant->network->forward(grid))});
  }
  return panel;
}

}  // namespace stillpoint::app
