#pragma once

#include "network.h"
#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::app {

/// Boards p [B, 64] → the x of min 0.05 x'x − p'x subject to A x = b, x ≥ 0: boards [B, 64]. It learns the
/// rules of the game as 40 equations A, which begin at random in [0, 1), with b = A exp(v) and v learned, so
/// that there always is a solution. The program is solved in double, as published. (Amos, Kolter 2017,
/// OptNet, section 4.4.)
class SudokuNetwork : public Network {
 public:
  SudokuNetwork();

  at::Tensor forward(const at::Tensor& boards) override;
  std::optional<SolveCost> cost() const override;

 private:
  at::Tensor rules_, log_inside_;
  optim::ProgramStats stats_;
};

}  // namespace stillpoint::app
