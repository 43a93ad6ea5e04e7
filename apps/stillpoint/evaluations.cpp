#include "evaluations.h"

#include <fmt/format.h>
#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <variant>

#include "stillpoint/ode/gradients/continuous.h"

namespace stillpoint::app {
namespace {

constexpr const char* kLinear =
    "unset logscale\nset format y '%g'\nset xrange [0:*]\nset yrange [0:*]\nset xtics auto\n";
constexpr const char* kLogarithmic =
    "set logscale y\nset format y '10^{%L}'\nset xrange [0:*]\nset yrange [*:*]\nset xtics auto\n";

struct NamedRule {
  const char* name;
  ode::GradientRule rule;
};

/// A rule joins the picture by a line here.
std::vector<NamedRule> rules() {
  return {{"discrete", ode::Discrete{}},
          {"interpolating", ode::Interpolating{.on_failure = OnFailure::Ignore}},
          {"backsolve", ode::Backsolve{.on_failure = OnFailure::Ignore}}};
}

ode::Tolerance tolerance(double relative) { return {.relative = relative, .absolute = relative}; }

/// Solves as another rule or tolerance says, until it ends.
class Trial {
 public:
  explicit Trial(Network& network) : options_(*network.ode_options()), before_(options_) {}
  ~Trial() { options_ = before_; }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  OdeintOptions& options() { return options_; }

 private:
  OdeintOptions& options_;
  OdeintOptions before_;
};

double backward_evaluations(Network& network, const Examples& batch) {
  const torch::AutoGradMode grad(true);
  const auto loss = torch::nn::functional::cross_entropy(network.forward(batch.inputs), batch.targets);
  torch::autograd::grad({loss}, network.parameters(), {}, false, false, true);
  return network.cost()->backward.value_or(0);
}

Panel over_evaluations(std::string title, std::string label, const std::string& settings) {
  return {.title = std::move(title),
          .x_label = "forward evaluations",
          .y_label = std::move(label),
          .settings = settings + "set offsets 0, 0, 0, 0\n",
          .curves = {}};
}

}  // namespace

Panel evaluations_panel(const std::vector<VariantResult>& results) {
  Panel panel{.title = "Evaluations in training",
              .x_label = "epoch",
              .y_label = "evaluations of f for a batch",
              .settings =
                  "set xrange [*:*]\nset yrange [0:*]\nset offsets 0.2, 0.2, graph 0.1, 0\n"
                  "set key below maxcols 1 height 1\n",
              .curves = {}};
  for (const auto& result : results) {
    Curve forward{
        .title = result.name + ", forward", .style = "linespoints linewidth 3 pointtype 7", .points = {}};
    Curve backward{.title = result.name + ", backward",
                   .style = "linespoints linewidth 2 dashtype 2 pointtype 6",
                   .points = {}};
    for (const auto& epoch : result.epochs) {
      if (epoch.train.iterations) forward.points.emplace_back(epoch.number, *epoch.train.iterations);
      if (epoch.train.backward_iterations)
        backward.points.emplace_back(epoch.number, *epoch.train.backward_iterations);
    }
    for (auto* curve : {&forward, &backward}) {
      if (!curve->points.empty()) panel.curves.push_back(std::move(*curve));
    }
  }
  return panel;
}

std::vector<Panel> tolerance_panels(const std::vector<TrainedVariant*>& variants, const Examples& batch) {
  const auto found = std::ranges::find_if(variants, [](const TrainedVariant* variant) {
    const auto* options = variant->network->ode_options();
    return options != nullptr && std::holds_alternative<ode::Pid>(options->control);
  });
  if (found == variants.end()) return {};
  const torch::NoGradGuard no_grad;
  auto& network = *(*found)->network;
  network.eval();
  Trial trial(network);
  trial.options().tolerance = tolerance(1e-6);
  const auto exact = network.forward(batch.inputs);

  auto error = over_evaluations("Error of " + (*found)->name, "mean |output - exact output|", kLogarithmic);
  auto time = over_evaluations("Time", "seconds of a forward pass", kLinear);
  auto back =
      over_evaluations("Backward pass", "backward evaluations", kLinear + std::string("set key top left\n"));
  const std::string style = "linespoints linewidth 3 pointtype 7";
  Curve errors{.title = "", .style = style, .points = {}}, times{.title = "", .style = style, .points = {}};
  const auto named = rules();
  for (const auto& rule : named) back.curves.push_back({.title = rule.name, .style = style, .points = {}});
  for (const double relative : {1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4}) {
    trial.options().tolerance = tolerance(relative);
    const auto start = std::chrono::steady_clock::now();
    const auto outputs = network.forward(batch.inputs);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const double evaluations = network.cost()->forward;
    errors.points.emplace_back(evaluations, (outputs - exact).abs().mean().item<double>());
    times.points.emplace_back(evaluations, seconds.count());
    for (std::size_t i = 0; i < named.size(); ++i) {
      trial.options().gradient = named[i].rule;
      back.curves[i].points.emplace_back(evaluations, backward_evaluations(network, batch));
    }
  }
  error.curves = {std::move(errors)};
  time.curves = {std::move(times)};
  return {std::move(error), std::move(time), std::move(back)};
}

}  // namespace stillpoint::app
