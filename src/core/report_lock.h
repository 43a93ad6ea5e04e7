#pragma once

#include <mutex>

namespace stillpoint::detail {

/// Held while something is written that the user can read and several threads may write: a report, where the
/// next backward pass starts. One for all, since it is held for a few moves only.
inline std::mutex report_lock;

}  // namespace stillpoint::detail
