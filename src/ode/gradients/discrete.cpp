#include "stillpoint/ode/gradients/discrete.h"

#include <c10/util/Exception.h>

#include <limits>

#include "ode/gradients/saved_solve.h"

namespace stillpoint::ode {
namespace {

class Checkpointed : public stillpoint::detail::SavedSolve {
 public:
  using SavedSolve::SavedSolve;

 private:
  void reverse(const at::Tensor& /*y0*/, Backward& pass) const override {
    std::size_t end = frozen().steps;
    for (std::size_t kept = frozen().states.size(); kept-- > 0; end = kept * frozen().every)
      reverse(kept * frozen().every, end, frozen().states[kept], pass);
  }

  // Backwards from step `end` to step `begin`, which starts from y.
  void reverse(std::size_t begin, std::size_t end, const at::Tensor& y, Backward& pass) const {
    if (end - begin == 1) {
      pull_back(begin, y, pass);
      return;
    }
    const std::size_t middle = begin + (end - begin) / 2;
    at::Tensor there = y;
    for (std::size_t number = begin; number < middle; ++number) there = frozen().step(number, there)[0];
    reverse(middle, end, there, pass);
    there.reset();
    reverse(begin, middle, y, pass);
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
