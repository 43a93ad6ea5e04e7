#pragma once

#include <string>
#include <vector>

#include "stillpoint/root/fixed_point.h"

namespace stillpoint::app {

/// One way to solve and differentiate the model's fixed point.
struct Variant {
  std::string name;  ///< solver-gradient
  FixedPointOptions options;
};

/// picard-unrolled, picard-implicit, anderson-implicit, newton-implicit.
const std::vector<Variant>& variants();
std::vector<std::string> variant_names();
/// Throws UserError if there is none of that name.
const Variant& find_variant(const std::string& name);

/// Picard unrolled until nothing changes any more in double precision: what gradients are compared with.
FixedPointOptions reference_options();

}  // namespace stillpoint::app
