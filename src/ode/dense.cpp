#include "ode/dense.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <limits>
#include <optional>
#include <vector>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

// Of each clock, at the k-th time that is asked for.
std::vector<double> times_of(const at::Tensor& host, std::size_t clocks, std::int64_t k) {
  std::vector<double> times;
  for (std::size_t n = 0; n < clocks; ++n) {
    const at::Tensor row = host.dim() == 2 ? host.select(0, static_cast<std::int64_t>(n)) : host;
    times.push_back(row.data_ptr<double>()[k * row.stride(0)]);
  }
  return times;
}

void check_range(const FrozenSolve& solve, const std::vector<double>& times) {
  for (std::size_t n = 0; n < times.size(); ++n) {
    const auto [first, last] = solve.range(n);
    TORCH_CHECK((times[n] - first) * (times[n] - last) <= 0.0, "t: expected times between ", first, " and ",
                last, ", for which the solve was asked, got ", times[n]);
  }
}

}  // namespace

at::Tensor dense_values(const FrozenSolve& solve, const at::Tensor& carries, const at::Tensor& t) {
  const std::size_t clocks = solve.clocks();
  const std::int64_t batch = carries.size(0);
  const bool rows = t.defined() && t.dim() == 2 && t.size(0) == batch && !solve.is_joint();
  TORCH_CHECK(t.defined() && at::isFloatingType(t.scalar_type()) && (t.dim() == 1 || rows),
              "t: expected times [K], or [B, K] for a solve with steps per sample, got ",
              t.defined() ? c10::str("shape ", t.sizes(), ", ", t.scalar_type())
                          : std::string("an undefined tensor"));
  const at::Tensor recorded = t.to(carries.device(), at::kDouble);
  const at::Tensor host = recorded.detach().cpu();
  State values;
  std::vector<std::size_t> entered;
  std::optional<FrozenSolve::Inside> step;
  for (std::int64_t k = 0; k < t.size(-1); ++k) {
    const std::vector<double> times = times_of(host, clocks, k);
    check_range(solve, times);
    const std::vector<std::size_t> numbers = solve.steps_at(times);
    if (!step || numbers != entered) step.emplace(solve.enter(numbers, FrozenSolve::pick(carries, numbers)));
    entered = numbers;
    at::Tensor time = recorded.select(-1, k);
    if (!solve.is_joint()) time = time.expand({batch});
    const at::Tensor state = solve.look(*step, times, time);
    const Mask came = solve.came(numbers, times);
    const at::Tensor nothing = at::full_like(state, std::numeric_limits<double>::quiet_NaN()).detach();
    values.push_back(came.all() ? state : at::where(to_mask(came, state), state, nothing));
  }
  TORCH_CHECK(!values.empty(), "t: expected at least one time, got none");
  return at::stack(values, 1);
}

}  // namespace stillpoint::detail
