#include "stillpoint/ode/methods/reversible.h"

#include <ATen/TensorOperators.h>

namespace stillpoint::ode {
namespace {

using at::Tensor;
using Memory = std::vector<Tensor>;

}  // namespace

// Remembers the second path, and the slope there.
Memory ReversibleHeun::begin(const SlopeFunction& f, const Tensor& t, const Tensor& y) const {
  return {y, f(t, y)};
}

Stepped ReversibleHeun::step(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                             const Memory& memory) const {
  const Tensor& h = interval.length;
  const Tensor path = 2.0 * y - memory[0] + h * memory[1];
  const Tensor slope = f(interval.time(1.0), path);
  const Tensor half = 0.5 * h;
  return {y + half * (memory[1] + slope), {path, slope}, half * (slope - memory[1])};
}

Stepped ReversibleHeun::back(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                             const Memory& memory) const {
  const Tensor& h = interval.length;
  const Tensor path = 2.0 * y - memory[0] - h * memory[1];
  const Tensor slope = f(interval.time(0.0), path);
  return {y - 0.5 * h * (memory[1] + slope), {path, slope}};
}

// Remembers the slope.
Memory AsynchronousLeapfrog::begin(const SlopeFunction& f, const Tensor& t, const Tensor& y) const {
  return {f(t, y)};
}

Stepped AsynchronousLeapfrog::step(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                                   const Memory& memory) const {
  const Tensor half = 0.5 * interval.length;
  const Tensor middle = y + half * memory[0];
  const Tensor slope = 2.0 * f(interval.time(0.5), middle) - memory[0];
  return {middle + half * slope, {slope}, half * (slope - memory[0])};
}

Stepped AsynchronousLeapfrog::back(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                                   const Memory& memory) const {
  const Tensor half = 0.5 * interval.length;
  const Tensor middle = y - half * memory[0];
  const Tensor slope = 2.0 * f(interval.time(0.5), middle) - memory[0];
  return {middle - half * slope, {slope}};
}

}  // namespace stillpoint::ode
