#include "pictures.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "board_panels.h"
#include "evaluations.h"
#include "share_panels.h"
#include "signal_panels.h"

namespace stillpoint::app {
namespace {

using Variants = std::vector<TrainedVariant*>;

std::vector<Panel> followed_by(Panel first, std::vector<Panel> others) {
  std::vector<Panel> panels{std::move(first)};
  std::ranges::move(others, std::back_inserter(panels));
  return panels;
}

/// Of networks that solve an ODE.
std::vector<Panel> picture_of_evaluations(const Experiment& experiment, const Variants& variants,
                                          const std::vector<VariantResult>& results, const Examples& batch) {
  auto error = error_panel(experiment.task, results);
  if (experiment.task == Task::Numbers) {
    return {comparison_panel(variants, batch), std::move(error)};
  }
  return followed_by(std::move(error),
                     followed_by(evaluations_panel(results), tolerance_panels(variants, batch)));
}

/// Of networks that find a fixed point, or none.
std::vector<Panel> picture_of_residuals(const Experiment& experiment, const Variants& variants,
                                        const std::vector<VariantResult>& results, const Dataset& data) {
  auto left = experiment.task == Task::Numbers ? fit_panel(variants, data.train)
                                               : error_panel(experiment.task, results);
  const double tolerance = experiment.compared.empty() ? 0 : kTolerance;
  const auto batch = data.test.slice(0, experiment.measured);
  return {std::move(left), residual_panel(trace_solvers(experiment, variants, batch.inputs), tolerance)};
}

}  // namespace

std::vector<Panel> picture_of(const RunHeader& run, const Variants& variants,
                              const std::vector<VariantResult>& results, const Dataset& data) {
  const auto& experiment = *run.experiment;
  switch (experiment.task) {
    case Task::Trajectories:
      return {phase_panel(variants, data.test), course_panel(variants, data.test),
              error_panel(experiment.task, results)};
    case Task::Boards:
      return followed_by(error_panel(experiment.task, results),
                         board_panels(run, results.front(), data.test));
    case Task::Signals: {
      auto error = error_panel(experiment.task, results);
      error.settings +=
          "set logscale y\nset yrange [*:*]\nset offsets 0, 0, graph 0.4, 0\n";  // networks without a program
                                                                                 // begin far away
      return followed_by(std::move(error), signal_panels(variants, data.test));
    }
    case Task::Shares:
      return followed_by(error_panel(experiment.task, results), share_panels(variants, data.test));
    case Task::Choices:
      return followed_by(error_panel(experiment.task, results), choice_panels(variants, data.test));
    case Task::Classes:
    case Task::Characters:
    case Task::Numbers:
      break;
  }
  return experiment.counts_evaluations
             ? picture_of_evaluations(experiment, variants, results, data.test.slice(0, experiment.measured))
             : picture_of_residuals(experiment, variants, results, data);
}

}  // namespace stillpoint::app
