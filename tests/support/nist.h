#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "support/device.h"

namespace stillpoint::test {

/// A problem of nonlinear regression with certified results, all in double; `[1, N]` what belongs to the
/// parameters.
struct NistProblem {
  std::string name;
  Tensor y;  ///< observations, `[M]`; where the model says so, their logarithms
  Tensor x;  ///< predictors, `[M, P]`
  std::vector<Tensor> starts;
  Tensor certified;
  Tensor deviations;  ///< of the parameters
  double sum_of_squares;
  double deviation;  ///< of the residuals
  /// What the model says of y, `[B, M]`, for parameters `[B, N]`.
  std::function<Tensor(const Tensor& b)> model;

  Tensor residual(const Tensor& b) const { return model(b) - y; }
};

/// The names of all problems of the collection. (NIST Statistical Reference Datasets, nonlinear regression.)
const std::vector<std::string>& nist_names();

/// Reads `name`.dat from a directory.
NistProblem read_nist(const std::filesystem::path& directory, const std::string& name);

/// To how many decimal digits numbers agree, at worst: −log10 of the relative error, at most 11, to which
/// they are certified.
double agreeing_digits(const Tensor& numbers, const Tensor& certified);

/// The directory that STILLPOINT_NIST_DIR names; empty if it names none.
std::filesystem::path nist_directory();

}  // namespace stillpoint::test
