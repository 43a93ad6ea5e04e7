#pragma once

#include <c10/util/Exception.h>
#include <torch/version.h>

#include <string>
#include <vector>

namespace stillpoint::test {

/// Collects the warnings of this thread, and of the backward passes that it starts, instead of printing them.
class WarningRecorder {
 public:
  const std::vector<std::string>& messages() const { return handler_.messages; }

 private:
  struct Handler : c10::WarningHandler {
#if TORCH_VERSION_MAJOR >= 2
    void process(const c10::Warning& warning) override { messages.push_back(warning.msg()); }
#else
    void process(const c10::SourceLocation&, const std::string& message, const bool) override {
      messages.push_back(message);
    }
#endif
    std::vector<std::string> messages;
  };
#if TORCH_VERSION_MAJOR >= 2
  using Guard = c10::WarningUtils::WarningHandlerGuard;
#else
  using Guard = c10::Warning::WarningHandlerGuard;
#endif

  Handler handler_;
  Guard guard_{&handler_};
};

}  // namespace stillpoint::test
