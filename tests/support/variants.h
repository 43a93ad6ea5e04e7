#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stillpoint/stillpoint.h"
#include "support/device.h"

namespace stillpoint::test {

/// A solver with a gradient rule.
struct Variant {
  std::string name;
  FixedPointSolver solver;
  /// The rule, with this tolerance for the systems that it solves, if it solves any.
  std::function<GradientRule(const Tolerance&)> gradient;
  /// Of a rule that differentiates the steps: how many to take, whatever the residual, since derivatives
  /// converge later than the value does. 0 for other rules.
  std::int64_t steps = 0;

  /// As tight as the dtype allows with some room, and throwing if that is not reached.
  FixedPointOptions options(torch::Dtype dtype) const;
};

Variant implicit_variant(std::string name, FixedPointSolver solver,
                         LinearSolver linear = AutomaticLinearSolver{});
Variant loop_variant(std::string name, FixedPointSolver solver, GradientRule rule);

/// The implicit gradient of several solvers; Picard unrolled and checkpointed; Reversible run backwards.
std::vector<Variant> exact_variants();
/// The implicit gradient with every linear solver for a general operator.
std::vector<Variant> linear_solver_variants();

/// How a layer under test finds its fixed point: by a plain loop that autograd records, or by the library.
class Solve {
 public:
  static Solve by_loop(int steps);
  static Solve by(FixedPointOptions options);

  Tensor operator()(const Map& f, const Tensor& z0) const;
  Tensor operator()(const MonotoneMap& f, const Tensor& z0) const;
  std::vector<Tensor> operator()(const TupleMap& f, const std::vector<Tensor>& z0) const;

 private:
  int steps_ = 0;
  std::optional<FixedPointOptions> options_;
};

}  // namespace stillpoint::test
