#pragma once

#include <string>
#include <vector>

#include "stillpoint/root/fixed_point.h"

namespace stillpoint::app {

/// The largest residual of a sample that counts as solved, in the Euclidean norm: the published 1e-4 over a
/// batch of 100. (Kolter, Duvenaud, Johnson 2020, "Deep Implicit Layers", chapter 1.)
inline constexpr double kTolerance = 1e-5;

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
