#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <variant>

namespace stillpoint::ode {

/// What a step may be wrong by: absolute + relative · max(|y|, |y'|) for each number, where y' is the state
/// after it; the errors, in these units, are taken in a root mean square over a sample, which must be at most
/// 1. It bounds the error of one step, not that of the solution. An empty field takes the default of the
/// state's dtype: relative 1e-6 and absolute 1e-8 in double, 1e-4 and 1e-6 in float, 1e-2 and 1e-3 in half
/// precision.
struct Tolerance {
  std::optional<double> relative = {};  ///< ≥ 0, no unit
  std::optional<double> absolute = {};  ///< ≥ 0, in units of the state
};

/// Chooses each step from the errors of the latest three. With e = tolerance / error, and k one more than the
/// order of the estimate, the step is multiplied by
///   safety · e_n^((P + I + D) / k) · e_(n−1)^(−(P + 2 D) / k) · e_(n−2)^(D / k).
/// The defaults are the PI controller of Hairer, Nørsett, Wanner's code DOPRI5. P = 0, I = 1 is the
/// elementary one. (Söderlind 2003, "Digital filters in adaptive time-stepping".)
struct Pid {
  double proportional = 0.2;
  double integral = 0.65;
  double derivative = 0.0;
  double safety = 0.9;        ///< in (0, 1]
  double least_factor = 0.2;  ///< in (0, 1): a step shrinks by no more
  double most_factor = 10.0;  ///< > 1: a step grows by no more; after a rejection it does not grow
  /// > 0, in units of time. Empty: chosen by two evaluations (Hairer, Nørsett, Wanner, I, II.4).
  std::optional<double> first_step = {};
  double min_step = 0.0;  ///< ≥ 0, in units of time; a sample whose step would be shorter ends
  double max_step = std::numeric_limits<double>::infinity();  ///< > 0, in units of time
};

/// Steps of one length, the last one before the end shorter. No error is estimated.
struct ConstantStep {
  double step;  ///< > 0, in units of time
};

using Control = std::variant<Pid, ConstantStep>;

/// Who shares a step.
enum class Steps : std::uint8_t {
  Joint,      ///< the batch: each step suits its most difficult sample; cheapest if samples are alike
  PerSample,  ///< nobody: samples do not see each other, and their neighbors change no bit of them
};

}  // namespace stillpoint::ode
