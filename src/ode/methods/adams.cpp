#include "stillpoint/ode/methods/adams.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <limits>

namespace stillpoint::ode {
namespace {

using at::Tensor;
using Memory = std::vector<Tensor>;

// What is remembered: the slopes here and at the three steps before, how many of those there are, and the
// length of the step before.
enum : std::size_t { kHere, kBefore1, kBefore2, kBefore3, kCount, kLength };
constexpr double kHistory = 3.0;

// A number a sample, in a column of y's dtype.
Tensor column(const Tensor& number, const Tensor& y) {
  std::vector<std::int64_t> shape(y.dim(), 1);
  shape[0] = y.size(0);
  return number.to(y.scalar_type()).expand(shape);
}

Tensor real_part(const Tensor& t) { return t.is_complex() ? at::real(t) : t; }

// Lengths of equal steps differ by the rounding of their ends.
double same_length(const Tensor& y) {
  const bool is_double = c10::toRealValueType(y.scalar_type()) == at::kDouble;
  return is_double ? 1e-9 : 10.0 * std::numeric_limits<float>::epsilon();
}

Tensor runge_kutta(const SlopeFunction& f, const Interval& interval, const Tensor& y, const Tensor& slope) {
  const Tensor& h = interval.length;
  const Tensor half = 0.5 * h;
  const Tensor k2 = f(interval.time(0.5), y + half * slope);
  const Tensor k3 = f(interval.time(0.5), y + half * k2);
  const Tensor k4 = f(interval.time(1.0), y + h * k3);
  return y + h / 6.0 * (slope + 2.0 * k2 + 2.0 * k3 + k4);
}

Tensor predict_and_correct(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                           const Memory& slopes) {
  const Tensor part = interval.length / 24.0;
  const Tensor predicted = y + part * (55.0 * slopes[kHere] - 59.0 * slopes[kBefore1] +
                                       37.0 * slopes[kBefore2] - 9.0 * slopes[kBefore3]);
  const Tensor slope = f(interval.time(1.0), predicted);
  return y + part * (9.0 * slope + 19.0 * slopes[kHere] - 5.0 * slopes[kBefore1] + slopes[kBefore2]);
}

}  // namespace

Memory AdamsBashforthMoulton::begin(const SlopeFunction& f, const Tensor& t, const Tensor& y) const {
  const Tensor slope = f(t, y);
  const Tensor none = at::zeros_like(slope).detach();
  const Tensor zero = column(at::zeros({}, y.options().requires_grad(false)), y);
  return {slope, none, none, none, zero, zero};
}

Stepped AdamsBashforthMoulton::step(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                                    const Memory& memory) const {
  const Tensor length = column(interval.length.detach(), y);
  const Tensor same = (length - memory[kLength]).abs() <= same_length(y) * length.abs();
  const Tensor known = real_part(memory[kCount]) * same;
  const Tensor ready = known >= kHistory;
  const bool all = ready.all().item<bool>();
  const bool any = all || ready.any().item<bool>();
  Tensor next;
  if (any) next = predict_and_correct(f, interval, y, memory);
  if (!all) {
    const Tensor start = runge_kutta(f, interval, y, memory[kHere]);
    next = any ? at::where(ready, next, start) : start;
  }
  const Tensor count = (known + 1.0).clamp_max(kHistory).to(y.scalar_type());
  return {next,
          {f(interval.time(1.0), next), memory[kHere], memory[kBefore1], memory[kBefore2], count.detach(),
           length}};
}

}  // namespace stillpoint::ode
