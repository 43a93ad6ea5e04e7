#include "table.h"

#include <cstdio>

void Table::heading(const std::string& what) { std::printf("\n%s\n", what.c_str()); }

void Table::row(const std::string& size, double measured, double limit) {
  const bool within = measured <= limit;
  all_within_limits_ = all_within_limits_ && within;
  std::printf("  %-40s %8.3f   limit %5.2f   %s\n", size.c_str(), measured, limit, within ? "ok" : "OVER");
  std::fflush(stdout);
}

void Table::row(const std::string& size, double measured) {
  std::printf("  %-40s %8.3f\n", size.c_str(), measured);
  std::fflush(stdout);
}
