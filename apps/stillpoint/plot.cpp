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
  std::vector<std::pair<double, double>> points;
};

/// The command that plots `curves`, with their numbers in the script itself.
std::string plot_command(const std::vector<Curve>& curves, const std::string& style) {
  std::string data, command;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    data += fmt::format("$curve{} << EOD\n", i);
    for (const auto& [x, y] : curves[i].points) {
      data += fmt::format("{} {}\n", x, y);
    }
    data += "EOD\n";
    command += fmt::format("{}$curve{} with {} linecolor rgb '{}' title '{}'", i == 0 ? "plot " : ", ", i,
                           style, kColors[i % kColors.size()], curves[i].title);
  }
  return data + command + "\n";
}

std::string error_panel(const std::vector<VariantResult>& results) {
  std::vector<Curve> curves;
  for (const auto& result : results) {
    Curve curve{.title = result.name, .points = {}};
    for (const auto& epoch : result.epochs) {
      curve.points.emplace_back(epoch.number, 100 * epoch.test.error);
    }
    if (curve.points.empty()) {
      curve.points.emplace_back(0, 100 * result.test_error);
    }
    curves.push_back(std::move(curve));
  }
  return "set title 'Test error'\n"
         "set xlabel 'epoch'\nset ylabel 'wrong labels (%)'\nset xtics 1\nset format y '%g'\n"
         "set offsets 0.2, 0.2, graph 0.05, graph 0.05\n" +
         plot_command(curves, "linespoints pointtype 7 pointsize 0.6 linewidth 2");
}

std::string residual_panel(const std::vector<Trace>& traces) {
  std::vector<Curve> curves;
  for (const auto& trace : traces) {
    Curve curve{.title = trace.solver, .points = {}};
    for (std::size_t i = 0; i < trace.residual.size(); ++i) {
      curve.points.emplace_back(i + 1, trace.residual[i]);
    }
    curves.push_back(std::move(curve));
  }
  return "set title 'Residual of one test batch'\n"
         "set xlabel 'evaluations of f'\nset ylabel 'largest |f(z) - z|'\nset xtics auto\n"
         "set logscale y\nset format y '10^{%L}'\nset offsets 0, 0, 0, 0\n" +
         plot_command(curves, "lines linewidth 2");
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
