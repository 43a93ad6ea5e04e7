#include "sudoku_network.h"

#include <torch/types.h>

#include <cmath>
#include <string>
#include <vector>

#include "boards.h"
#include "support.h"
#include "task.h"

namespace stillpoint::app::testing {
namespace {

/// What a board must hold, one row each: one digit a cell, and each digit once a row, column and block. Of
/// the 64 rows the 40 that do not follow from those before.
at::Tensor rules_of_the_game() {
  const auto numbers = torch::eye(64, torch::kDouble).view({4, 4, 4, 64});  // row, column, digit
  const auto all =
      torch::cat({numbers.sum(2).flatten(0, 1), numbers.sum(1).flatten(0, 1), numbers.sum(0).flatten(0, 1),
                  numbers.view({2, 2, 2, 2, 4, 64}).sum(c10::IntArrayRef{1, 3}).flatten(0, 2)});
  std::vector<at::Tensor> rules;
  for (std::int64_t i = 0; i < all.size(0); ++i) {
    rules.push_back(all[i]);
    const auto rank = torch::linalg_matrix_rank(torch::stack(rules), 1e-9);
    if (rank.item<std::int64_t>() < static_cast<std::int64_t>(rules.size())) rules.pop_back();
  }
  return torch::stack(rules);
}

at::Tensor board(const std::string& digits) {
  auto numbers = torch::zeros({1, 64}, torch::kDouble);
  for (std::int64_t i = 0; i < 16; ++i) {
    if (digits[i] != '0') numbers[0][4 * i + digits[i] - '1'] = 1;
  }
  return numbers;
}

TEST(Sudoku, NeedsNoMoreThanTheRules) {
  const torch::NoGradGuard no_grad;
  SudokuNetwork network;
  network.to(torch::kDouble);
  network.parameters()[0].copy_(rules_of_the_game());
  network.parameters()[1].fill_(std::log(0.25));  // every digit alike, which satisfies them
  const auto solution = board("1324241342313142");
  for (const char* given : {"1324241342313142", "1304040342010142", "0300001040000002"}) {
    EXPECT_LT((network.forward(board(given)) - solution).abs().max().item<double>(), 1e-6) << given;
  }
}

TEST(Sudoku, HasTheDerivativesOfFiniteDifferences) {
  torch::manual_seed(3);
  SudokuNetwork network;
  network.to(torch::kDouble);
  const auto boards = torch::cat({board("0300001040000002"), board("1004020042000003")});
  const auto targets = torch::cat({board("1324241342313142"), board("1324241342313142")});
  const auto loss = [&] { return losses(Task::Boards, network.forward(boards), targets).mean(); };
  const auto gradients = torch::autograd::grad({loss()}, network.parameters());
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    auto parameter = network.parameters()[i];
    const auto direction = torch::randn_like(parameter), before = parameter.clone();
    constexpr double step = 1e-6;
    const auto moved = [&](double by) {
      return parameter.copy_(before + by * direction), loss().item<double>();
    };
    const double slope = (moved(step) - moved(-step)) / (2 * step);
    parameter.copy_(before);
    const double expected = (gradients[i] * direction).sum().item<double>();
    EXPECT_NEAR(slope, expected, 1e-5 * std::abs(expected) + 1e-8) << i;
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
