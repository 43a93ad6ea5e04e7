#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "ode/problem.h"

namespace stillpoint::detail {

/// What the times of events have to be moved by to solve when(t, y(t)) = 0: nothing, with the graph of that.
/// `events` has the number of each sample's, one after the last if it has none; `found` their times, `[B]` in
/// double; `state_at` gives the state at times near those.
at::Tensor shift_of_events(const std::shared_ptr<const Problem>& problem,
                           const std::vector<std::size_t>& events, const at::Tensor& found,
                           const std::function<at::Tensor(const at::Tensor& times)>& state_at);

}  // namespace stillpoint::detail
