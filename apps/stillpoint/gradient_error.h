#pragma once

#include <optional>

#include "dataset.h"
#include "model.h"

namespace stillpoint::app {

/// How far the gradient of the loss on `batch`, as the model trains with it, is from the exact one: the
/// largest over the parameters of max |g − exact| / max |exact|. Exact is Picard, unrolled in double
/// precision to a residual of 1e-12; empty if that does not converge.
std::optional<double> gradient_error(Classifier model, const Examples& batch);

}  // namespace stillpoint::app
