#include "stillpoint/core/erased.h"

#include <c10/util/Type.h>

namespace stillpoint {

std::string detail::type_name(const std::type_info& type) {
  const std::string full = c10::demangle(type.name());
  const std::string plain = full.substr(0, full.find('<'));
  const std::size_t space = plain.rfind("::");
  return space == std::string::npos ? plain : plain.substr(space + 2);
}

}  // namespace stillpoint
