#include "outputs.h"

#include <fmt/format.h>

#include <exception>
#include <stdexcept>
#include <string>

#include "files.h"
#include "plot.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

struct NamedPath {
  const char* option;
  const std::filesystem::path& path;
};

void refuse_same(const NamedPath& one, const NamedPath& other) {
  if (!one.path.empty() && !other.path.empty() && same_place(one.path, other.path)) {
    throw UserError(fmt::format("{} {} and {} {} are the same file: name another one", one.option,
                                one.path.string(), other.option, other.path.string()));
  }
}

}  // namespace

void check_outputs(const TrainOptions& options, const std::filesystem::path& data) {
  const NamedPath report{"--report", options.report}, plot{"--plot", options.plot},
      save{"--save", options.save}, load{"--load", options.load}, examples{"--data", data};
  refuse_same(report, plot);
  refuse_same(report, save);
  refuse_same(plot, save);
  refuse_same(report, load);
  refuse_same(plot, load);
  for (const auto& output : {report, plot, save}) {
    refuse_same(output, examples);
  }
  for (const auto& output : {report, plot, save}) {
    if (!output.path.empty()) {
      check_writable(output.path);
    }
  }
  if (!plot.path.empty()) {
    check_plot(plot.path);
  }
}

void do_each(const std::vector<std::function<void()>>& jobs) {
  std::string failures;
  bool only_user_errors = true;
  for (const auto& job : jobs) {
    try {
      job();
    } catch (const std::exception& error) {
      failures += (failures.empty() ? "" : "; ") + explain(error);
      only_user_errors &= dynamic_cast<const UserError*>(&error) != nullptr;
    }
  }
  if (!failures.empty()) {
    only_user_errors ? throw UserError(failures) : throw std::runtime_error(failures);
  }
}

}  // namespace stillpoint::app
