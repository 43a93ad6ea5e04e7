#pragma once

#include <array>
#include <cstdint>

#include "stillpoint/ode/control.h"

namespace stillpoint::detail {

/// Chooses the steps of one clock. Lengths are positive, in units of time.
class StepControl {
 public:
  /// `error_order` is that of the error estimate; `first` the length of the first step.
  StepControl(const ode::Control& control, int error_order, double first);

  /// Whether steps depend on errors.
  static bool estimates_errors(const ode::Control& control) {
    return std::holds_alternative<ode::Pid>(control);
  }

  /// The length to try from this time, no longer than `remaining` to the next stop, which it hits if it comes
  /// near.
  double propose(double remaining, double time) const;
  /// Whether a step with this error, in units of the tolerance, is good enough.
  bool accepts(double error) const;
  /// Whether a step of this length at this time cannot be made shorter.
  bool is_least(double length, double time) const;
  /// Learns of a step that was taken with this length.
  void accept(double error, double length);
  void reject(double error, double length);
  /// Goes back to the length before the rejections since the last accepted step.
  void forget_rejections();

 private:
  double factor() const;

  ode::Pid pid_;
  bool adaptive_;
  double exponent_;  // 1 / k
  double length_;
  double before_rejections_;
  bool rejected_ = false;
  std::array<double, 3> ease_ = {0.0, 0.0, 0.0};  // logarithms of tolerance / error, the latest first
};

/// Throws unless the options are in range, naming the field.
void check_control(const ode::Control& control);

}  // namespace stillpoint::detail
