#include "plot.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <memory>

#include "user_error.h"

namespace stillpoint::app {
namespace {

constexpr std::array kColors{"#0072b2", "#d55e00", "#009e73", "#cc79a7"};  // safe for the color-blind
constexpr const char* kLook =
    "set border 3\nset tics nomirror\nset key default top right\nset grid linecolor rgb '#dddddd'\nunset "
    "label\n";

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

constexpr std::size_t kPanelsInARow = 3;

std::string terminal(const std::filesystem::path& path, std::size_t rows) {
  const auto ending = path.extension();
  if (ending == ".svg") {
    return fmt::format("svg size 1200,{} dynamic font 'sans-serif,15' background 'white'", 480 * rows);
  }
  if (ending == ".png") {
    return fmt::format("pngcairo size 1800,{} font 'sans,18' linewidth 1.5 background 'white'", 720 * rows);
  }
  throw UserError(fmt::format("--plot {}: expected a name that ends in .svg or .png", path.string()));
}

std::string color(const Curve& curve, std::size_t& next) {
  return fmt::format("linecolor rgb '{}'", curve.colored ? kColors[next++ % kColors.size()] : "#777777");
}

/// A line for each point that can be drawn.
std::string finite_points(const Curve& curve) {
  std::string lines;
  for (const auto& [x, y] : curve.points) {
    if (std::isfinite(x) && std::isfinite(y)) {
      lines += fmt::format("{} {}\n", x, y);
    }
  }
  return lines;
}

/// The commands that make the shades of a surface, and its level lines, ready to be plotted. Both are empty
/// where a value is no number.
std::string prepare(const Surface& surface) {
  std::string data;
  for (std::size_t i = 0; i < surface.values.size(); ++i) {
    const auto columns = surface.x.size();
    const auto value = surface.values[i];
    data += fmt::format("{}{} {} {}\n", i > 0 && i % columns == 0 ? "\n" : "", surface.x[i % columns],
                        surface.y[i / columns], std::isfinite(value) ? fmt::format("{}", value) : "NaN");
  }
  return fmt::format(
      "$surface << EOD\n{}EOD\n"
      "set palette defined (0 '#f7c9a9', 1 '#ffffff', 2 '#a9cbe6')\nunset colorbox\n"
      "set contour base\nunset surface\nset cntrparam levels auto 16\nset table $levels\n"
      "splot $surface with lines\nunset table\nunset contour\nset surface\n",
      data);
}

/// The commands that plot `panel`, with its numbers in the script itself.
std::string draw(const Panel& panel) {
  std::string data, curves;
  if (panel.surface) {
    data = prepare(*panel.surface);
    curves =
        "$surface with image notitle, $levels with lines linewidth 0.7 linecolor rgb '#999999' notitle, ";
  }
  std::size_t next_color = 0;
  for (const auto& curve : panel.curves) {
    const auto points = finite_points(curve);
    const auto name = points.empty() ? "NaN" : fmt::format("$curve{}", &curve - panel.curves.data());
    if (!points.empty()) {
      data += fmt::format("{} << EOD\n{}EOD\n", name, points);
    }
    curves +=
        fmt::format("{} with {} {} title '{}', ", name, curve.style, color(curve, next_color), curve.title);
  }
  // gnuplot draws nothing at all where no curve has a point that it could take the ranges from.
  const auto* ranges = data.empty() ? "unset logscale\nset xrange [0:1]\nset yrange [0:1]\n" : "";
  return fmt::format("{}set title '{}'\nset xlabel '{}'\nset ylabel '{}'\n{}{}{}plot {}NaN notitle\n", kLook,
                     panel.title, panel.x_label, panel.y_label, panel.settings, ranges, data, curves);
}

}  // namespace

void check_plot(const std::filesystem::path& path) { draw_plot(path, {Panel{}}); }

std::string draw_plot(const std::filesystem::path& path, const std::vector<Panel>& panels) {
  std::string drawn;
  for (const auto& panel : panels) {
    drawn += draw(panel);
  }
  const auto rows = (panels.size() + kPanelsInARow - 1) / kPanelsInARow;
  const auto script = fmt::format("set terminal {}\nset multiplot layout {},{}\n{}unset multiplot\n",
                                  terminal(path, rows), rows, (panels.size() + rows - 1) / rows, drawn);
  return run_gnuplot(script);
}

}  // namespace stillpoint::app
