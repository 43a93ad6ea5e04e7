#include "cart_pole.h"

#include <cmath>

namespace stillpoint::app {
namespace {
constexpr double kGravity = 9.8;           // m/s²
constexpr double kPoleMass = 0.1;          // kg
constexpr double kMass = 1.0 + kPoleMass;  // with the cart
constexpr double kHalfLength = 0.5;        // m, of the pole
constexpr double kForce = 10.0;            // N
constexpr double kRodInertia = 4.0 / 3.0;  // of a rod about its end, in units of mass · (half length)²
constexpr double kMoment = kPoleMass * kHalfLength;
}  // namespace

CartPole CartPole::pushed(bool right) const {
  const double sine = std::sin(angle), cosine = std::cos(angle);
  // The acceleration that the cart would have if the pole did not turn any faster.
  const double rigid = ((right ? kForce : -kForce) + kMoment * rotation * rotation * sine) / kMass;
  const double turning = (kGravity * sine - cosine * rigid) /
                         (kHalfLength * (kRodInertia - kPoleMass * cosine * cosine / kMass));
  const double acceleration = rigid - kMoment * turning * cosine / kMass;
  return {.position = position + kSeconds * velocity,
          .velocity = velocity + kSeconds * acceleration,
          .angle = angle + kSeconds * rotation,
          .rotation = rotation + kSeconds * turning};
}

bool CartPole::fallen() const { return std::abs(position) > kLastPosition || std::abs(angle) > kLastAngle; }

}  // namespace stillpoint::app
