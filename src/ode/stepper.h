#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "ode/runge_kutta.h"
#include "ode/slope.h"
#include "ode/span.h"
#include "ode/stage_solver.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/ode/control.h"
#include "stillpoint/ode/method.h"
#include "stillpoint/ode/solution.h"

namespace stillpoint::detail {

/// Takes the steps of a method, be it a tableau or no. The method must outlive it. What it keeps of implicit
/// stages serves from step to step, so it belongs to one solve in one thread.
class Stepper {
 public:
  /// Implicit stages are solved to a fraction of the tolerance of a step, or to rounding.
  explicit Stepper(const ode::Method& method, const ode::Tolerance& tolerance = {}, bool to_rounding = true);

  /// What the method remembers where a solve starts; empty for a tableau.
  std::vector<at::Tensor> begin(const Slope& f, const Span& span, const at::Tensor& y) const;
  /// `begin` for the samples that start anew; the others keep what they remember.
  std::vector<at::Tensor> begin(const Slope& f, const Span& span, const at::Tensor& y, const Mask& anew,
                                const std::vector<at::Tensor>& memory) const;
  /// A step from a state. `first` is the slope there, if it is known. `all` takes the stages that the next
  /// state does not need as well: for an error estimate or dense output.
  Stages take(const Slope& f, const Span& span, const at::Tensor& from, const std::vector<at::Tensor>& memory,
              const at::Tensor& first, bool all) const;
  /// The step that leads to `to`, from its start.
  ode::Stepped back(const Slope& f, const Span& span, const at::Tensor& to,
                    const std::vector<at::Tensor>& memory) const;
  /// See state_inside.
  at::Tensor inside(const Slope& f, const Span& span, const Span& output, const at::Tensor& y,
                    const Stages& stages, const Mask& wanted) const;
  /// For each sample, its error in units of the tolerance.
  std::vector<double> errors(const Span& span, const at::Tensor& y, const Stages& stages, double absolute,
                             double relative) const;
  /// What was done to solve implicit stages.
  void report(ode::Stats& stats) const;
  /// Whether the last slope of a step is the first one of the next.
  bool first_same_as_last() const { return tableau_ != nullptr && tableau_->first_same_as_last(); }
  /// Whether outputs inside a step need all its stages.
  bool has_interpolant() const { return tableau_ != nullptr && !tableau_->interpolant.empty(); }

 private:
  const ode::Tableau* tableau_;
  const ode::Stepping* stepping_;
  // Null without implicit stages. Outputs have their own, so that they change nothing of the steps.
  std::unique_ptr<StageSolver> solver_;
  std::unique_ptr<StageSolver> output_solver_;
};

}  // namespace stillpoint::detail
