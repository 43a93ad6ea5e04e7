#include "board_panels.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "boards.h"
#include "trainer.h"

namespace stillpoint::app {
namespace {

constexpr auto kBoardLook =
    "set size square\nunset key\nunset logscale\nunset xtics\nunset ytics\nset border 15\n"
    "set xrange [0:4]\nset yrange [0:4]\n";

/// The lines between cells, the ones between blocks wider.
std::vector<Curve> board_lines() {
  std::vector<Curve> lines;
  for (int i = 1; i < kBoardSide; ++i) {
    const std::string style = i == 2 ? "lines linewidth 3" : "lines linewidth 0.8";
    lines.push_back({.title = "", .style = style, .points = {{i, 0}, {i, kBoardSide}}, .colored = false});
    lines.push_back({.title = "", .style = style, .points = {{0, i}, {kBoardSide, i}}, .colored = false});
  }
  return lines;
}

/// One digit of the cell whose middle is given: the surer, the larger, the darker and the nearer to the
/// middle.
std::string digit_label(int digit, double share, std::pair<double, double> middle, bool right) {
  const double aside = 0.27 * (1 - share);
  const double x = middle.first + (digit % 2 == 0 ? -aside : aside);
  const double y = middle.second + (digit < 2 ? aside : -aside);
  const auto light = static_cast<int>(std::lround(210 * (1 - share)));
  const auto color = right ? fmt::format("#{0:02x}{0:02x}{0:02x}", light)
                           : fmt::format("#{:02x}{:02x}{:02x}", 213 + light / 6, 94 + light / 2, light);
  return fmt::format("set label '{}' at {},{} center font ',{:.0f}' textcolor rgb '{}'\n", digit + 1, x, y,
                     9 + 21 * share, color);
}

/// Of the numbers of a cell, in [0, 1]; zero if all are.
double share_of(const std::vector<double>& numbers, int i) {
  double sum = 0;
  for (int digit = 0; digit < kBoardSide; ++digit) {
    sum += std::max(numbers[i / kBoardSide * kBoardSide + digit], 0.0);
  }
  return sum > 0 ? std::max(numbers[i], 0.0) / sum : 0;
}

Panel board_panel(std::string title, const std::vector<double>& numbers, const at::Tensor& solution) {
  Panel panel{.title = std::move(title),
              .x_label = "",
              .y_label = "",
              .settings = kBoardLook,
              .curves = board_lines()};
  for (int i = 0; i < kBoardNumbers; ++i) {
    const int cell = i / kBoardSide, digit = i % kBoardSide;
    const double share = share_of(numbers, i);
    if (share < 0.02) continue;
    const int row = cell / kBoardSide, column = cell % kBoardSide;
    const std::pair middle(column + 0.5, kBoardSide - row - 0.5);
    panel.settings += digit_label(digit, share, middle, solution[i].item<double>() > 0.5);
  }
  return panel;
}

/// The first epoch, the last, and one between them: as many times the one as the other is times it.
std::set<std::size_t> stages(std::size_t epochs) {
  std::set<std::size_t> chosen;
  for (const double part : {0.0, 0.5, 1.0}) {
    chosen.insert(static_cast<std::size_t>(std::lround(std::pow(static_cast<double>(epochs), part))));
  }
  return chosen;
}

/// What the network made of the board before it was trained.
std::vector<double> untrained_output(const RunHeader& run, const std::string& variant,
                                     const at::Tensor& boards) {
  const torch::NoGradGuard no_grad;
  const auto network = new_variant(*run.experiment, variant, run.seed).network;
  network->to(boards.device());
  network->eval();
  return numbers_of(network->forward(boards));
}

}  // namespace

std::vector<Panel> board_panels(const RunHeader& run, const VariantResult& result, const Examples& test) {
  const auto board = test.slice(0, 1).inputs;
  const auto solution = test.targets[0].to(torch::kCPU);
  std::vector<Panel> panels{
      board_panel("A test board", numbers_of(board), solution),
      board_panel("Before training", untrained_output(run, result.name, board), solution)};
  if (result.epochs.empty()) return panels;
  for (const auto stage : stages(result.epochs.size())) {
    const auto& epoch = result.epochs[stage - 1];
    panels.push_back(board_panel(fmt::format("After epoch {}", epoch.number), epoch.first_output, solution));
  }
  return panels;
}

}  // namespace stillpoint::app
