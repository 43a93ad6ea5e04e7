#include "study_parts.h"

#include "user_error.h"

namespace stillpoint::app {

void refuse_data(const std::filesystem::path& data) {
  if (!data.empty()) {
    throw UserError("--data: this model makes its own data; leave --data out");
  }
}

}  // namespace stillpoint::app
