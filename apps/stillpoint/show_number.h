#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace stillpoint::app {

/// A number, or a dash for what is none.
std::string decimal(std::optional<double> number, int digits);
/// Alike, in four significant digits.
std::string significant(double number);
/// 1234567 as 1,234,567.
std::string grouped(std::int64_t number);

}  // namespace stillpoint::app
