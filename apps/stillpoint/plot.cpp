#include "plot.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>

#include "files.h"
#include "user_error.h"
#include "variants.h"

namespace stillpoint::app {
namespace {

constexpr std::array kColors{"#0072b2", "#d55e00", "#009e73", "#cc79a7"};  // safe for the color-blind

/// What gnuplot draws for a script, as bytes. Throws UserError.
std::string run_gnuplot(const std::string& script) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> input(std::tmpfile(), &std::fclose);
  std::array<int, 2> output{};
  if (!input || std::fwrite(script.data(), 1, script.size(), input.get()) != script.size() ||
      std::fflush(input.get()) != 0 || std::fseek(input.get(), 0, SEEK_SET) != 0 ||
      pipe(output.data()) != 0) {
    throw UserError("cannot hand the plot to gnuplot: free space in the directory for temporary files");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(input.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, output[0]);
  std::array<char*, 2> arguments{const_cast<char*>("gnuplot"), nullptr};
  pid_t child = 0;
  const int failed = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  std::string picture;
  std::array<char, 1 << 14> chunk{};
  for (ssize_t got = 0; failed == 0 && (got = read(output[0], chunk.data(), chunk.size())) > 0;) {
    picture.append(chunk.data(), static_cast<std::size_t>(got));
  }
  close(output[0]);
  int status = 0;
  if (failed != 0 || waitpid(child, &status, 0) != child || status != 0) {
    throw UserError("--plot needs gnuplot, which did not run: install the Debian package gnuplot-nox");
  }
  return picture;
}

std::string terminal(const std::filesystem::path& path) {
  const auto ending = path.extension();
  if (ending == ".svg") {
    return "svg size 1200,480 dynamic font 'sans-serif,15' background 'white'";
  }
  if (ending == ".png") {
    return "pngcairo size 1800,720 font 'sans,18' linewidth 1.5 background 'white'";
  }
  throw UserError(fmt::format("--plot {}: expected a name that ends in .svg or .png", path.string()));
}

struct Curve {
  std::string title;
  std::string style;
  std::vector<std::pair<double, double>> points;
};

std::string color(std::size_t index) {
  return fmt::format("linecolor rgb '{}'", kColors[index % kColors.size()]);
}

/// The command that plots `curves`, with their numbers in the script itself.
std::string plot_command(const std::vector<Curve>& curves) {
  std::string data, command = "plot ";
  for (std::size_t i = 0; i < curves.size(); ++i) {
    data += fmt::format("$curve{} << EOD\n", i);
    for (const auto& [x, y] : curves[i].points) {
      data += fmt::format("{} {}\n", x, y);
    }
    data += "EOD\n";
    command += fmt::format("$curve{} with {} title '{}', ", i, curves[i].style, curves[i].title);
  }
  return data + command + "\n";
}

std::string error_panel(const std::vector<VariantResult>& results) {
  std::vector<Curve> curves;
  std::int64_t first = 1, last = 1;
  double low = 100, high = 0;
  for (const auto& result : results) {
    // Variants that agree cover each other: the earlier, the wider.
    const auto width = 2 * (results.size() - curves.size());
    Curve curve{.title = result.name,
                .style = fmt::format("linespoints linewidth {} pointtype 7 pointsize 0.{} {}", width, width,
                                     color(curves.size())),
                .points = {}};
    for (const auto& epoch : result.epochs) {
      curve.points.emplace_back(epoch.number, 100 * epoch.test.error);
      last = std::max(last, epoch.number);
    }
    if (curve.points.empty()) {
      curve.points.emplace_back(0, 100 * result.test_error);
      first = 0;
    }
    for (const auto& [epoch, error] : curve.points) {
      low = std::min(low, error);
      high = std::max(high, error);
    }
    curves.push_back(std::move(curve));
  }
  const double margin = std::max(0.05 * (high - low), 0.1);
  return fmt::format(
             "set title 'Test error'\nset xlabel 'epoch'\nset ylabel 'wrong labels (%)'\n"
             "set xrange [{}:{}]\nset yrange [{}:{}]\nset xtics {}\n",
             static_cast<double>(first) - 0.2, static_cast<double>(last) + 0.2, std::max(low - margin, 0.0),
             high + margin, 1 + (last - first) / 10) +
         plot_command(curves);
}

std::string residual_panel(const std::vector<Trace>& traces) {
  std::vector<Curve> curves;
  double last = 1;
  for (const auto& trace : traces) {
    Curve curve{.title = trace.solver, .style = "lines linewidth 2.5 " + color(curves.size()), .points = {}};
    for (const auto residual : trace.residual) {
      curve.points.emplace_back(curve.points.size() + 1, residual);
    }
    last = std::max(last, static_cast<double>(trace.residual.size()));
    curves.push_back(std::move(curve));
  }
  curves.push_back({.title = "tolerance in training",
                    .style = "lines linewidth 1.5 dashtype 2 linecolor rgb '#777777'",
                    .points = {{1, kTolerance}, {last, kTolerance}}});
  return "set title 'Residual of one test batch'\nset xlabel 'evaluations of f (for Newton, also of its "
         "Jacobian)'\n"
         "set ylabel 'largest |f(z) - z| of a sample'\nset xrange [1:*]\nset yrange [*:*]\nset xtics auto\n"
         "set logscale y\nset format y '10^{%L}'\nunset mytics\n" +
         plot_command(curves);
}

}  // namespace

void check_plot(const std::filesystem::path& path) {
  terminal(path);
  run_gnuplot("");
}

void write_plot(const std::filesystem::path& path, const std::vector<VariantResult>& results,
                const std::vector<Trace>& traces) {
  const auto script = fmt::format(
      "set terminal {}\nset multiplot layout 1,2\nset border 3\nset tics nomirror\nset key top right\n"
      "set grid linecolor rgb '#dddddd'\n{}{}unset multiplot\n",
      terminal(path), error_panel(results), residual_panel(traces));
  const auto picture = run_gnuplot(script);
  write_file(path, picture);
}

}  // namespace stillpoint::app
