#include "ode/control/step_control.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillpoint::detail {
namespace {

// An error below this says no more than that the step may grow as it likes.
constexpr double kLeastError = 1e-10;
// A rest of less than this many lengths is taken in equal steps, so that the last one is not tiny.
constexpr double kShared = 2.0;
// How many units of rounding of the time a step must have; its own length is rounded, too.
constexpr double kLeastUnits = 16.0;

double rounding_of(double time) {
  return kLeastUnits * std::numeric_limits<double>::epsilon() *
         std::max(std::abs(time), std::numeric_limits<double>::min() * 1e20);
}

}  // namespace

void check_control(const ode::Control& control) {
  if (const auto* constant = std::get_if<ode::ConstantStep>(&control)) {
    TORCH_CHECK(constant->step > 0.0 && std::isfinite(constant->step),
                "control.step: expected a finite length > 0, got ", constant->step);
    return;
  }
  const auto& pid = std::get<ode::Pid>(control);
  TORCH_CHECK(std::isfinite(pid.proportional) && std::isfinite(pid.integral) && std::isfinite(pid.derivative),
              "control: expected finite coefficients, got proportional ", pid.proportional, ", integral ",
              pid.integral, ", derivative ", pid.derivative);
  TORCH_CHECK(pid.safety > 0.0 && pid.safety <= 1.0, "control.safety: expected a number in (0, 1], got ",
              pid.safety);
  TORCH_CHECK(pid.least_factor > 0.0 && pid.least_factor < 1.0,
              "control.least_factor: expected a number in (0, 1), got ", pid.least_factor);
  TORCH_CHECK(pid.most_factor > 1.0, "control.most_factor: expected a number > 1, got ", pid.most_factor);
  TORCH_CHECK(!pid.first_step || (*pid.first_step > 0.0 && std::isfinite(*pid.first_step)),
              "control.first_step: expected a finite length > 0, got ", pid.first_step.value_or(0.0));
  TORCH_CHECK(pid.min_step >= 0.0, "control.min_step: expected a length ≥ 0, got ", pid.min_step);
  TORCH_CHECK(pid.max_step > 0.0, "control.max_step: expected a length > 0, got ", pid.max_step);
  TORCH_CHECK(pid.min_step <= pid.max_step, "control.min_step: expected no more than max_step, ",
              pid.max_step, ", got ", pid.min_step);
}

StepControl::StepControl(const ode::Control& control, int error_order, double first)
    : adaptive_(estimates_errors(control)), exponent_(1.0 / (error_order + 1)) {
  if (adaptive_) pid_ = std::get<ode::Pid>(control);
  length_ =
      adaptive_ ? std::clamp(first, pid_.min_step, pid_.max_step) : std::get<ode::ConstantStep>(control).step;
  before_rejections_ = length_;
}

double StepControl::propose(double remaining, double time) const {
  const double length = std::max(length_, rounding_of(time));
  if (remaining <= length * (1.0 + 1e-9)) return remaining;
  return adaptive_ && remaining < kShared * length ? 0.5 * remaining : length;
}

bool StepControl::accepts(double error) const { return adaptive_ ? error <= 1.0 : std::isfinite(error); }

bool StepControl::is_least(double length, double time) const {
  return !adaptive_ || length <= std::max(pid_.min_step * (1.0 + 1e-9), 2.0 * rounding_of(time));
}

double StepControl::factor() const {
  const double p = pid_.proportional;
  const double i = pid_.integral;
  const double d = pid_.derivative;
  return pid_.safety *
         std::exp(exponent_ * ((p + i + d) * ease_[0] - (p + 2.0 * d) * ease_[1] + d * ease_[2]));
}

void StepControl::accept(double error, double length) {
  if (!adaptive_) return;
  ease_ = {-std::log(std::max(error, kLeastError)), ease_[0], ease_[1]};
  const double most = rejected_ ? 1.0 : pid_.most_factor;
  const double grown = length * std::clamp(factor(), pid_.least_factor, most);
  // A step that was cut to end somewhere says nothing against a longer one.
  length_ = std::clamp(length < length_ ? std::max(grown, length_) : grown, pid_.min_step, pid_.max_step);
  before_rejections_ = length_;
  rejected_ = false;
}

void StepControl::reject(double error, double length) {
  const double wanted = std::isfinite(error) ? pid_.safety * std::pow(error, -exponent_) : pid_.least_factor;
  length_ = std::max(length * std::clamp(wanted, pid_.least_factor, pid_.safety), pid_.min_step);
  rejected_ = true;
}

void StepControl::forget_rejections() {
  length_ = before_rejections_;
  rejected_ = false;
}

}  // namespace stillpoint::detail
