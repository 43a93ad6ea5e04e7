#include "boards.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "dataset.h"
#include "files.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

constexpr std::size_t kCells = kBoardSide * kBoardSide;

/// Whether it is a board of digits from `least` to 4, with 0 for an empty cell.
bool is_board(const std::string& text, char least) {
  return text.size() == kCells &&
         std::ranges::all_of(text, [&](char cell) { return cell >= least && cell <= '4'; });
}

bool fills(const std::string& solution, const std::string& board) {
  return std::ranges::equal(solution, board,
                            [](char filled, char given) { return given == '0' || filled == given; });
}

void append(std::vector<float>& numbers, const std::string& board) {
  for (const char cell : board) {
    for (const char digit : {'1', '2', '3', '4'}) numbers.push_back(cell == digit ? 1.0F : 0.0F);
  }
}

at::Tensor boards_of(std::vector<float>& numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size()) / kBoardNumbers;
  return torch::from_blob(numbers.data(), {count, kBoardNumbers}, torch::kFloat).clone();
}

}  // namespace

at::Tensor wrong_boards(const at::Tensor& boards) {
  constexpr auto n = kBoardSide;
  const auto digits = boards.detach().view({-1, n, n, n}).argmax(-1);
  const auto holds = torch::one_hot(digits, n);  // [B, row, column, digit]
  const auto blocks = holds.view({-1, n / 2, 2, n / 2, 2, n}).sum(c10::IntArrayRef{2, 4});
  const auto bad = [](const at::Tensor& counts) { return counts.flatten(1).ne(1).any(1); };
  return bad(holds.sum(1)).logical_or(bad(holds.sum(2))).logical_or(bad(blocks));
}

Dataset load_boards(const std::filesystem::path& file, c10::Device device) {
  if (file.empty()) {
    throw UserError(
        "--model sudoku reads boards: name a text file by --data, with a board and its solution in each "
        "line");
  }
  std::istringstream lines(read_file(file));
  std::vector<float> boards, solutions;
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto board = line.substr(0, kCells), solution = line.substr(std::min(line.size(), kCells + 1));
    if (!is_board(board, '0') || !is_board(solution, '1') || line[kCells] != ' ' || !fills(solution, board)) {
      throw UserError(fmt::format(
          "--data {}, line {}: expected 16 digits from 0 to 4, a space, and the 16 digits from 1 to 4 that "
          "fill this board",
          file.string(), number));
    }
    append(boards, board);
    append(solutions, solution);
  }
  const auto inputs = boards_of(boards).to(device), targets = boards_of(solutions).to(device);
  const auto size = targets.size(0), split = size - size / 10;
  if (split == size) {
    throw UserError(fmt::format("--data {}: expected at least 10 boards, found {}", file.string(), size));
  }
  return {{inputs.slice(0, 0, split), targets.slice(0, 0, split)},
          {inputs.slice(0, split), targets.slice(0, split)}};
}

}  // namespace stillpoint::app
