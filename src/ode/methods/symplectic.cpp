#include "stillpoint/ode/methods/symplectic.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

namespace stillpoint::ode {
namespace {

using at::Tensor;
using Memory = std::vector<Tensor>;

// The numbers of each sample, `[B, N]`, as positions and momenta.
struct Halves {
  Tensor q;
  Tensor p;

  explicit Halves(const Tensor& y) {
    const Tensor flat = y.reshape({y.size(0), -1});
    TORCH_CHECK(flat.size(1) % 2 == 0,
                "y0: expected positions and as many momenta for a method of separable systems, got ",
                flat.size(1), " numbers a sample");
    const std::int64_t half = flat.size(1) / 2;
    q = flat.narrow(1, 0, half);
    p = flat.narrow(1, half, half);
  }
};

Tensor joined(const Tensor& q, const Tensor& p, const Tensor& like) {
  return at::cat({q, p}, 1).view(like.sizes());
}

// The length of a step for halves, which have two dimensions.
Tensor flat_length(const Interval& interval) {
  const Tensor& h = interval.length;
  return h.dim() == 0 ? h : h.reshape({-1, 1});
}

}  // namespace

Memory SemiImplicitEuler::begin(const SlopeFunction& /*f*/, const Tensor& /*t*/, const Tensor& /*y*/) const {
  return {};
}

Stepped SemiImplicitEuler::step(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                                const Memory& /*memory*/) const {
  const Tensor h = flat_length(interval);
  const Halves before(y);
  const Tensor p = before.p + h * Halves(f(interval.time(0.0), y)).p;
  const Tensor q = before.q + h * Halves(f(interval.time(1.0), joined(before.q, p, y))).q;
  return {joined(q, p, y)};
}

Stepped SemiImplicitEuler::back(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                                const Memory& /*memory*/) const {
  const Tensor h = flat_length(interval);
  const Halves after(y);
  const Tensor q = after.q - h * Halves(f(interval.time(1.0), y)).q;
  const Tensor p = after.p - h * Halves(f(interval.time(0.0), joined(q, after.p, y))).p;
  return {joined(q, p, y)};
}

// Remembers the kick.
Memory Leapfrog::begin(const SlopeFunction& f, const Tensor& t, const Tensor& y) const {
  return {Halves(f(t, y)).p};
}

Stepped Leapfrog::step(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                       const Memory& memory) const {
  const Tensor h = flat_length(interval);
  const Halves before(y);
  const Tensor middle = before.p + 0.5 * h * memory[0];
  const Tensor q = before.q + h * Halves(f(interval.time(0.5), joined(before.q, middle, y))).q;
  const Tensor kick = Halves(f(interval.time(1.0), joined(q, middle, y))).p;
  return {joined(q, middle + 0.5 * h * kick, y), {kick}};
}

Stepped Leapfrog::back(const SlopeFunction& f, const Interval& interval, const Tensor& y,
                       const Memory& memory) const {
  const Tensor h = flat_length(interval);
  const Halves after(y);
  const Tensor middle = after.p - 0.5 * h * memory[0];
  const Tensor q = after.q - h * Halves(f(interval.time(0.5), joined(after.q, middle, y))).q;
  const Tensor kick = Halves(f(interval.time(0.0), joined(q, middle, y))).p;
  return {joined(q, middle - 0.5 * h * kick, y), {kick}};
}

}  // namespace stillpoint::ode
