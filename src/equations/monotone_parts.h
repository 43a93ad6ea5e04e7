#pragma once

#include "stillpoint/equations/checked_map.h"
#include "stillpoint/equations/monotone.h"

namespace stillpoint::detail {

/// The map in its parts, for the solver called `solver`. Throws if it was not given so.
const MonotoneMap& monotone_parts(const CheckedMap& f, const char* solver);

}  // namespace stillpoint::detail
