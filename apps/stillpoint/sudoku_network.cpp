#include "sudoku_network.h"

#include <torch/types.h>

#include "boards.h"
#include "program_cost.h"

namespace stillpoint::app {
namespace {

// As many as the rules of the game that do not follow from the others.
constexpr std::int64_t kRules = 40;

}  // namespace

SudokuNetwork::SudokuNetwork()
    : rules_(register_parameter("rules", torch::rand({kRules, kBoardNumbers}, torch::kFloat))),
      log_inside_(register_parameter("log_inside", torch::zeros(kBoardNumbers, torch::kFloat))) {}

at::Tensor SudokuNetwork::forward(const at::Tensor& boards) {
  const auto p = -boards.to(torch::kDouble), rules = rules_.to(torch::kDouble);
  auto [x, stats] = quadratic_program({.Q = 0.1 * torch::eye(kBoardNumbers, p.options()),
                                       .p = p,
                                       .A = rules,
                                       .b = rules.mv(log_inside_.to(torch::kDouble).exp()),
                                       .lower = torch::zeros(kBoardNumbers, p.options())},
                                      {.on_failure = OnFailure::Ignore});
  stats_ = stats;
  return x.to(boards.scalar_type());
}

std::optional<SolveCost> SudokuNetwork::cost() const { return cost_of(stats_); }

}  // namespace stillpoint::app
