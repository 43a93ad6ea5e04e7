#pragma once

#include "stillpoint/core/best_iterate.h"
#include "stillpoint/core/observer.h"

namespace stillpoint::detail {

/// Shows the latest iterate of a batch. Of the samples that have ended the observer sees what they have come
/// to, for which rows are copied.
void show(const Observer& observer, const Iterate& latest, const BestIterate& best);

}  // namespace stillpoint::detail
