#include "stillpoint/ode/gradients/reversible.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <vector>

#include "core/rows/rows.h"
#include "ode/gradients/saved_solve.h"

namespace stillpoint::ode {
namespace {

// Of each sample, beside its largest number at both ends. NaN, where a sample has left the numbers, is no
// difference here: its gradient is NaN too.
void expect_back_at(const at::Tensor& y0, const at::Tensor& found, const at::Tensor& end) {
  const auto largest = [](const at::Tensor& t) {
    return stillpoint::detail::row_norms(t, stillpoint::Norm::Maximum);
  };
  const std::vector<double> error = largest((found - y0).contiguous());
  const std::vector<double> at_start = largest(y0);
  const std::vector<double> at_end = largest(end);
  const bool is_double = c10::toRealValueType(y0.scalar_type()) == at::kDouble;
  const double allowed = is_double ? 1.5e-8 : 3.5e-4;
  for (std::size_t b = 0; b < error.size(); ++b) {
    TORCH_CHECK(!(error[b] > allowed * std::max(at_start[b], at_end[b])),
                "gradient: ode::Reversible took the steps of sample ", b, " back to a y0 that is wrong by ",
                error[b],
                ": the equation multiplies rounding errors too much; take ode::Discrete, whose checkpoints "
                "bound its memory, too");
  }
}

class TakenBack : public stillpoint::detail::SavedSolve {
 public:
  using SavedSolve::SavedSolve;

 private:
  void reverse(const at::Tensor& y0, Backward& pass) const override {
    at::Tensor y = frozen().end;
    for (std::size_t number = frozen().steps; number-- > 0;) {
      y = frozen().back(number, y);
      pull_back(number, number == 0 ? y0 : y, pass);
    }
    expect_back_at(frozen().state(y0), frozen().state(y), frozen().state(frozen().end));
  }
};

}  // namespace

at::Tensor Reversible::differentiate(const Frozen& frozen) const {
  TORCH_CHECK(frozen.back,
              "gradient: ode::Reversible expects steps that can be taken back: a method such as "
              "ode::ReversibleHeun, no events and no jumps; take ode::Discrete here");
  return stillpoint::detail::SavedSolve::attach<TakenBack>(frozen);
}

}  // namespace stillpoint::ode
