#include "run_parts.h"

#include <stdexcept>

namespace stillpoint::app {

std::uint64_t epoch_seed(std::uint64_t seed, std::int64_t epoch) {
  return seed + 1'000'003 * static_cast<std::uint64_t>(epoch);
}

void fail_with(const std::string& variant, std::size_t done, const char* unit) {
  try {
    throw;
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{} failed after {} {}: {}", variant, done, unit, explain(error)));
  }
}

}  // namespace stillpoint::app
