#pragma once

#include <string>
#include <vector>

#include "trainer.h"

namespace stillpoint::app {

/// How a solver approached the equilibria of a batch.
struct Trace {
  std::string title;
  std::vector<double> residual;  ///< at each step: the largest of the batch
};

/// The residuals of the experiment's `compared` solvers on the first of the variants, or else of each variant
/// that solves with its own solver: from the start that it trains with, in double precision, so that what is
/// seen is the solver and not rounding.
std::vector<Trace> trace_solvers(const Experiment& experiment, const std::vector<TrainedVariant*>& variants,
                                 const at::Tensor& inputs);

}  // namespace stillpoint::app
