#pragma once

#include <stdexcept>

namespace stillpoint::app {

/// Something that the user can put right. The message is one line and says what to do; the exit status is 2.
struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace stillpoint::app
