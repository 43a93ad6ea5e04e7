#include "stillpoint/ode/gradients/reversible.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/report_lock.h"
#include "core/rows/rows.h"
#include "ode/gradients/saved_solve.h"
#include "stillpoint/ode/solution.h"

namespace stillpoint::ode {
namespace {

// By how much each sample misses y0, in units of what is allowed: the square root of what the dtype resolves,
// of its largest number at both ends. Infinite, where the way back alone has left the numbers. None is a miss
// where the solve has: its gradient is NaN, too.
std::vector<double> missed(const at::Tensor& y0, const at::Tensor& found, const at::Tensor& end) {
  const auto largest = [](const at::Tensor& t) {
    return stillpoint::detail::row_norms(t, stillpoint::Norm::Maximum);
  };
  std::vector<double> by = largest((found - y0).contiguous());
  const std::vector<double> at_start = largest(y0);
  const std::vector<double> at_end = largest(end);
  const bool is_double = c10::toRealValueType(y0.scalar_type()) == at::kDouble;
  const double allowed = is_double ? 1.5e-8 : 3.5e-4;
  for (std::size_t b = 0; b < by.size(); ++b) {
    const double largest_end = std::max(at_start[b], at_end[b]);
    if (by[b] == 0.0 || !std::isfinite(at_start[b]) || !std::isfinite(at_end[b])) {
      by[b] = 0.0;
    } else {
      by[b] =
          std::isfinite(by[b]) ? by[b] / (allowed * largest_end) : std::numeric_limits<double>::infinity();
    }
  }
  return by;
}

class TakenBack : public stillpoint::detail::SavedSolve {
 public:
  TakenBack(const Frozen& frozen, const Tape& probe, torch::autograd::edge_list edges,
            const std::shared_ptr<Stats>& report, OnFailure on_failure)
      : SavedSolve(frozen, probe, std::move(edges)), report_(report), on_failure_(on_failure) {}

 private:
  void reverse(const at::Tensor& y0, Backward& pass) const override {
    at::Tensor y = frozen().end;
    for (std::size_t number = frozen().steps; number-- > 0;) {
      y = frozen().back(number, y);
      pull_back(number, number == 0 ? y0 : y, pass);
    }
    report(missed(frozen().state(y0), frozen().state(y), frozen().state(frozen().end)));
  }

  void report(const std::vector<double>& by) const {
    {
      const std::lock_guard<std::mutex> lock(stillpoint::detail::report_lock);
      report_->reconstruction = by;
    }
    const auto worst = std::max_element(by.begin(), by.end());
    if (on_failure_ == OnFailure::Ignore || worst == by.end() || *worst <= 1.0) return;
    const auto message = c10::str(
        "gradient: ode::Reversible took the steps of sample ", worst - by.begin(),
        " back to a y0 that is wrong by ", *worst,
        " times what is allowed: the equation multiplies rounding errors too much; take ode::Discrete, whose "
        "checkpoints bound its memory, too");
    TORCH_CHECK(on_failure_ != OnFailure::Throw, message);
    TORCH_WARN(message);
  }

  std::shared_ptr<Stats> report_;
  OnFailure on_failure_;
};

}  // namespace

at::Tensor Reversible::differentiate(const Frozen& frozen) const {
  TORCH_CHECK(frozen.back,
              "gradient: ode::Reversible expects steps that can be taken back: a method such as "
              "ode::ReversibleHeun, no events and no jumps; take ode::Discrete here");
  const auto report = std::make_shared<Stats>();
  report->method = "ode::Reversible";
  at::Tensor values = stillpoint::detail::SavedSolve::attach<TakenBack>(frozen, report, on_failure);
  if (values.requires_grad()) frozen.stats->backward = report;
  return values;
}

}  // namespace stillpoint::ode
