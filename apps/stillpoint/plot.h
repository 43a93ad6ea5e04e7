#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stillpoint::app {

struct Curve {
  std::string title;
  std::string style;  ///< as gnuplot's `with` takes it, without the color
  std::vector<std::pair<double, double>> points;
  bool colored = true;  ///< in a color of its own; else gray
};

/// A function on a grid, drawn below the curves as shades with level lines.
struct Surface {
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> values;  ///< row by row: one for each x, at the first y, and so on
};

struct Panel {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::string settings;  ///< further gnuplot commands: ranges, tics
  std::vector<Curve> curves;
  std::optional<Surface> surface = {};
};

/// Throws UserError unless `path` ends in .svg or .png and gnuplot can draw such a picture.
void check_plot(const std::filesystem::path& path);

/// Panels side by side, as the bytes of a picture for the ending of `path`. Throws UserError.
std::string draw_plot(const std::filesystem::path& path, const std::vector<Panel>& panels);

}  // namespace stillpoint::app
