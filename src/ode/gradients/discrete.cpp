#include "stillpoint/ode/gradients/discrete.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "ode/gradients/saved_solve.h"

namespace stillpoint::ode {
namespace {

// C(s + r, s): how many steps can be reversed from s states that are kept, the first of them where the steps
// start, if none is taken again more than r times. (Griewank, Walther 2000, "Algorithm 799: revolve".)
double reach(std::size_t s, std::size_t r) {
  double steps = 1.0;
  for (std::size_t i = 1; i <= std::min(s, r); ++i)
    steps *= static_cast<double>(std::max(s, r) + i) / static_cast<double>(i);
  return std::round(steps);
}

// After how many of n ≥ 2 steps to keep the second of s ≥ 2 states, so that the fewest are taken again.
std::size_t first_part(std::size_t n, std::size_t s) {
  const auto steps = static_cast<double>(n);
  std::size_t r = 1;
  while (reach(s, r) < steps) ++r;
  const double least = r >= 2 ? reach(s, r - 2) : 1.0;
  return static_cast<std::size_t>(std::clamp(steps - reach(s - 1, r), least, steps - 1.0));
}

class Checkpointed : public stillpoint::detail::SavedSolve {
 public:
  using SavedSolve::SavedSolve;

 private:
  void reverse(const at::Tensor& /*y0*/, Backward& pass) const override {
    std::size_t end = frozen().steps;
    for (std::size_t kept = frozen().states.size(); kept-- > 0;) {
      const std::size_t begin = kept * frozen().every;
      const auto halvings = static_cast<std::size_t>(std::bit_width(end - begin - 1));
      reverse(begin, end, frozen().states[kept], 1 + halvings, pass);
      end = begin;
    }
  }

  // Backwards from step `end` to step `begin`, which starts from y, with s states, y the first of them.
  void reverse(std::size_t begin, std::size_t end, const at::Tensor& y, std::size_t s, Backward& pass) const {
    while (end - begin > 1) {
      const std::size_t middle = s == 1 ? end - 1 : begin + first_part(end - begin, s);
      at::Tensor there = y;
      for (std::size_t number = begin; number < middle; ++number) there = frozen().step(number, there)[0];
      reverse(middle, end, there, s == 1 ? 1 : s - 1, pass);
      end = middle;
    }
    pull_back(begin, y, pass);
  }
};

}  // namespace

std::int64_t Discrete::states() const {
  TORCH_CHECK(!checkpoints || *checkpoints >= 2, "checkpoints: expected a number ≥ 2, got ",
              checkpoints.value_or(0));
  return checkpoints.value_or(std::numeric_limits<std::int64_t>::max());
}

at::Tensor Discrete::differentiate(const Frozen& frozen) const {
  return stillpoint::detail::SavedSolve::attach<Checkpointed>(frozen);
}

}  // namespace stillpoint::ode
