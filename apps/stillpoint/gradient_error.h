#pragma once

#include <optional>

#include "trainer.h"

namespace stillpoint::app {

/// How far the gradient of the loss on `batch`, as the variant trains with it, is from the exact one: the
/// largest over the parameters of max |g − exact| / max |exact|, where a parameter whose exact gradient is
/// less than 1e-6 of the largest one is compared with that. Exact is the experiment's reference solve, in
/// double precision; empty if that does not converge, if a gradient is not a number, or if nothing is
/// learned.
std::optional<double> gradient_error(const Experiment& experiment, const TrainedVariant& variant,
                                     const Examples& batch);

}  // namespace stillpoint::app
