#include "show_number.h"

#include <fmt/format.h>

#include <cmath>

namespace stillpoint::app {

std::string decimal(std::optional<double> number, int digits) {
  return number && !std::isnan(*number) ? fmt::format("{:.{}f}", *number, digits) : "-";
}

std::string significant(double number) { return std::isnan(number) ? "-" : fmt::format("{:.4g}", number); }

std::string grouped(std::int64_t number) {
  return number < 1000 ? std::to_string(number)
                       : fmt::format("{},{:03}", grouped(number / 1000), number % 1000);
}

}  // namespace stillpoint::app
