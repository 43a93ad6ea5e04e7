#pragma once

#include <string>
#include <vector>

#include "model.h"

namespace stillpoint::app {

/// How a solver approached the fixed points of a batch.
struct Trace {
  std::string solver;
  std::vector<double> residual;  ///< at each evaluation of the map: the largest of the batch, Euclidean norm
};

/// Picard, Anderson and Newton on the model's fixed points for `images`, from zero, in double precision, so
/// that what is seen is the solver and not rounding.
std::vector<Trace> trace_solvers(const Classifier& model, const at::Tensor& images);

}  // namespace stillpoint::app
