#include "variants.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "stillpoint/root/newton.h"
#include "stillpoint/root/picard.h"
#include "stillpoint/root/unrolled_gradient.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

/// Samples that miss the tolerance are counted and shown with each epoch.
FixedPointOptions options(FixedPointSolver solver, GradientRule gradient) {
  return {.solver = std::move(solver),
          .gradient = std::move(gradient),
          .tolerance = {.relative = 0.0, .absolute = kTolerance},
          .max_iterations = 200,
          .on_failure = OnFailure::Ignore};
}

}  // namespace

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all{
      {"picard-unrolled", options(Picard{}, UnrolledGradient{})},
      {"picard-implicit", options(Picard{}, ImplicitGradient{})},
      {"anderson-implicit", options(Anderson{}, ImplicitGradient{})},
      {"newton-implicit", options(Newton{}, ImplicitGradient{})},
  };
  return all;
}

std::vector<std::string> variant_names() {
  std::vector<std::string> names;
  for (const auto& variant : variants()) {
    names.push_back(variant.name);
  }
  return names;
}

const Variant& find_variant(const std::string& name) {
  for (const auto& variant : variants()) {
    if (variant.name == name) {
      return variant;
    }
  }
  throw UserError(
      fmt::format("no variant is called {}: choose from {}", name, fmt::join(variant_names(), ", ")));
}

FixedPointOptions reference_options() {
  return {.solver = Picard{},
          .gradient = UnrolledGradient{},
          .tolerance = {.relative = 0.0, .absolute = 1e-12},
          .max_iterations = 2000,
          .on_failure = OnFailure::Ignore};
}

}  // namespace stillpoint::app
