#pragma once

#include <functional>

namespace stillpoint::detail {

/// Runs `work` where recorded nodes compute every gradient that they can.
///
/// Inside a backward pass that was asked for selected inputs, nodes compute only what that pass needs, and
/// leave the rest undefined. A nested pass that asks for nothing in particular lifts this; elsewhere `work`
/// just runs.
void with_all_gradients_wanted(const std::function<void()>& work);

}  // namespace stillpoint::detail
