#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ode/runge_kutta.h"
#include "ode/slope.h"
#include "ode/span.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/ode/method.h"

namespace stillpoint::detail {

/// Takes the steps of a method, be it a tableau or no. The method must outlive it.
class Stepper {
 public:
  explicit Stepper(const ode::Method& method) : tableau_(method.tableau()), stepping_(method.stepping()) {}

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
  /// Whether the last slope of a step is the first one of the next.
  bool first_same_as_last() const { return tableau_ != nullptr && tableau_->first_same_as_last(); }
  /// Whether outputs inside a step need all its stages.
  bool has_interpolant() const { return tableau_ != nullptr && !tableau_->interpolant.empty(); }

 private:
  const ode::Tableau* tableau_;
  const ode::Stepping* stepping_;
};

}  // namespace stillpoint::detail
