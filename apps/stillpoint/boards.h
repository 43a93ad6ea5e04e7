#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// Sudoku boards of 4 × 4 cells as 64 numbers, row by row: of each cell, one for each of the digits 1 to 4.
namespace stillpoint::app {

inline constexpr std::int64_t kBoardSide = 4;
inline constexpr std::int64_t kBoardNumbers = kBoardSide * kBoardSide * kBoardSide;

/// Which boards [B, 64] are wrong, [B] bool, when each cell holds its largest digit: a row, a column or a
/// block does not hold each digit once.
at::Tensor wrong_boards(const at::Tensor& boards);

}  // namespace stillpoint::app
