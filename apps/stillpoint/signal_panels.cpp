#include "signal_panels.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <utility>

namespace stillpoint::app {
namespace {

Curve curve_of(std::string title, std::string style, const at::Tensor& signal, bool colored) {
  Curve curve{.title = std::move(title), .style = std::move(style), .points = {}, .colored = colored};
  for (std::int64_t i = 0; i < signal.size(0); ++i) curve.points.emplace_back(i, signal[i].item<double>());
  return curve;
}

}  // namespace

std::vector<Panel> signal_panels(const std::vector<TrainedVariant*>& variants, const Examples& test) {
  const torch::NoGradGuard no_grad;
  const auto first = test.slice(0, 1);
  const auto clean = first.targets[0];
  std::vector<Panel> panels;
  for (const auto* variant : variants) {
    variant->network->eval();
    const auto output = variant->network->forward(first.inputs)[0];
    const double error = (output - clean).square().mean().item<double>();
    panels.push_back(
        {.title = fmt::format("{}: squared error {:.1f}", variant->name, error),
         .x_label = "place",
         .y_label = "signal",
         .settings = "unset logscale\nset format y '%g'\nset xrange [0:*]\nset yrange [*:*]\n"
                     "set xtics auto\nset offsets 0, 0, graph 0.25, 0\n",
         .curves = {curve_of("noisy", "points pointtype 7 pointsize 0.3", first.inputs[0], false),
                    curve_of("clean", "lines linewidth 2 dashtype 2", clean, false),
                    curve_of(variant->name, "lines linewidth 3", output, true)}});
  }
  return panels;
}

}  // namespace stillpoint::app
