#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "train.h"
#include "user_error.h"

// What runs of both kinds, those of experiments and those of studies, do alike.
namespace stillpoint::app {

/// Another seed for each epoch or round.
std::uint64_t epoch_seed(std::uint64_t seed, std::int64_t epoch);

template <class Variant>
std::vector<std::string> names_of(const std::vector<Variant>& variants) {
  std::vector<std::string> names;
  for (const auto& variant : variants) {
    names.push_back(variant.name);
  }
  return names;
}

/// The variant of a model. Throws UserError if there is none of that name.
template <class Variant>
const Variant& find_variant(const std::string& model, const std::vector<Variant>& variants,
                            const std::string& wanted) {
  const auto found = std::ranges::find(variants, wanted, &Variant::name);
  if (found == variants.end()) {
    throw UserError(fmt::format("--variants: the model {} has no variant {}: choose from {}", model, wanted,
                                fmt::join(names_of(variants), ", ")));
  }
  return *found;
}

/// Those of a run that `names` picks, in that order; all if it is empty. Throws UserError.
template <class Variant>
std::vector<Variant*> choose(std::vector<Variant>& variants, const std::vector<std::string>& names) {
  std::vector<Variant*> chosen;
  for (const auto& name : names.empty() ? names_of(variants) : names) {
    const auto found = std::ranges::find(variants, name, &Variant::name);
    if (found == variants.end()) {
      throw UserError(
          fmt::format("--variants {0}: the checkpoint does not hold it; leave it out, or --load", name));
    }
    if (std::ranges::count(names, name) > 1) {
      throw UserError(fmt::format("--variants names {} more than once: name it once", name));
    }
    chosen.push_back(&*found);
  }
  return chosen;
}

/// Throws the UserError that an option says something else than the checkpoint, if it says anything.
template <class Told, class Value>
void refuse_other(const TrainOptions& options, const char* option, const Told& told, bool is_told,
                  const Value& before) {
  if (is_told && !(told == before)) {
    throw UserError(fmt::format("{0} {1}: {2} was made with {0} {3}; leave {0} out", option, told,
                                options.load.string(), before));
  }
}

/// Says of the error that is being handled, unless the user has a part in it, which variant it came with and
/// when: after 3 "epochs", say.
[[noreturn]] void fail_with(const std::string& variant, std::size_t done, const char* unit);

}  // namespace stillpoint::app
