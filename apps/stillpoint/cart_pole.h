#pragma once

#include <numbers>

namespace stillpoint::app {

/// A cart on a rail with a pole that stands on it and can fall to either side. The equations, masses, lengths
/// and limits are those of CartPole-v0 of OpenAI Gym, which are those of Barto, Sutton, Anderson 1983,
/// "Neuronlike adaptive elements that can solve difficult learning control problems", without friction.
struct CartPole {
  double position = 0;  ///< of the cart, in m from the middle
  double velocity = 0;  ///< in m/s
  double angle = 0;     ///< of the pole, in radians from upright, to the right
  double rotation = 0;  ///< in radians/s

  /// After 20 ms in which the cart was pushed to the right, or to the left: one of Euler's steps.
  CartPole pushed(bool right) const;
  /// The cart has left the rail, or the pole is more than 12 degrees from upright.
  bool fallen() const;

  static constexpr double kSeconds = 0.02;  ///< of a step
  static constexpr double kLastPosition = 2.4;
  static constexpr double kLastAngle = 12 * std::numbers::pi / 180;
};

}  // namespace stillpoint::app
