#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "dataset.h"
#include "network.h"
#include "task.h"

namespace stillpoint::app {

/// The largest residual of a sample that counts as solved in the model `fixed-point`, in the Euclidean norm:
/// the published 1e-4 over a batch of 100. (Kolter, Duvenaud, Johnson 2020, "Deep Implicit Layers",
/// chapter 1.)
inline constexpr double kTolerance = 1e-5;

/// How a network is trained.
struct Recipe {
  enum class Optimizer : std::uint8_t { GradientDescent, Adam, RmsProp };

  std::int64_t batch = 100;
  std::int64_t epochs = 3;  ///< unless told otherwise
  Optimizer optimizer = Optimizer::Adam;
  double momentum = 0;    ///< of gradient descent
  std::int64_t crop = 0;  ///< images are shifted by up to so many pixels, each way at random, in training
  /// The step when `done` of `all` epochs are done.
  std::function<double(double done, double all)> rate;
  /// Leaves samples out of the loss whose solve did not converge. They are no fixed points, so they have no
  /// implicit gradient: what the rule gives there can be huge, and one such sample would undo an epoch.
  bool only_converged = false;
};

/// One of the networks that a model compares, which may have nothing to learn. All variants of a model begin
/// with the same weights where they have the same.
struct Variant {
  std::string name;
  std::function<NetworkPointer(std::int64_t width)> make;
  double rate = 1;  ///< of its steps to those of the recipe
};

/// What `stillpoint train --model NAME` trains.
struct Experiment {
  std::string name;
  std::string description;  ///< one line
  Task task = Task::Classes;
  std::function<Dataset(const std::filesystem::path& data, c10::Device device)> load;
  std::filesystem::path data;  ///< unless told otherwise; empty: must be told, or there is none
  Recipe recipe;
  std::vector<Variant> variants;
  std::int64_t width = 0;  ///< of the networks; 0: theirs is not to be chosen
  /// Whether the cost of a solve is told in evaluations of an ODE's f, not in iterations.
  bool counts_evaluations = false;
  /// How the implicit layer is solved for the gradient that others are compared with, in double precision.
  FixedPointOptions reference;
  /// Whether each epoch keeps what the network makes of the first test example.
  bool keeps_first_output = false;
  std::int64_t measured = 100;  ///< test examples that gradients and residuals are compared on
  /// Solvers whose residuals the picture compares on the first network; none: each network with its own.
  std::vector<FixedPointSolver> compared = {};

  std::vector<std::string> variant_names() const;
  /// Throws UserError if there is none of that name.
  const Variant& variant(const std::string& wanted) const;
};

/// The first one is the main job.
const std::vector<Experiment>& experiments();
std::vector<std::string> experiment_names();
/// Throws UserError if there is none of that name, or if it has no width to choose. The width is the model's
/// own if it is 0.
const Experiment& experiment(const std::string& name, std::int64_t width = 0);

}  // namespace stillpoint::app
