#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "results.h"

namespace stillpoint::app {

/// A line on standard error, as far as it can be written.
void complain(const std::string& message);

/// What the user sees. On a terminal a progress bar runs below the lines; anywhere else there are the same
/// lines and not one control character.
class Console {
 public:
  explicit Console(std::FILE* out = stdout);
  ~Console() { clear_bar(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void line(const std::string& text);
  void epoch_header();
  void epoch(Task task, const std::string& variant, const Epoch& epoch, std::int64_t last);
  /// The table of all variants.
  void summary(Task task, const std::vector<VariantResult>& results);
  /// Redraws the bar, at most ten times a second.
  void progress(const std::string& variant, std::int64_t epoch, std::int64_t last, double fraction,
                const Pass& so_far);
  /// The same, with words on how it goes.
  void progress(const std::string& variant, std::int64_t epoch, std::int64_t last, double fraction,
                const std::string& so_far);

 private:
  void clear_bar();

  std::FILE* out_;
  bool terminal_;
  bool bar_ = false;
  double drawn_at_ = 0;  // seconds
};

}  // namespace stillpoint::app
