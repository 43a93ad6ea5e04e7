#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

namespace stillpoint::app {

/// Something that the user can put right. The message is one line and says what to do; the exit status is 2.
struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An error in one line.
inline std::string explain(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return "not enough memory";
  }
  const std::string what = error.what();
  return what.substr(0, what.find('\n'));
}

}  // namespace stillpoint::app
