#pragma once

#include <string>

/// Prints rows of a measured ratio beside its limit, and remembers whether one was over.
class Table {
 public:
  void heading(const std::string& what);
  void row(const std::string& size, double measured, double limit);
  /// A row for information, which holds nothing to a limit.
  void row(const std::string& size, double measured);
  bool all_within_limits() const { return all_within_limits_; }

 private:
  bool all_within_limits_ = true;
};
