#pragma once

#include <ATen/core/Tensor.h>

namespace stillpoint::detail {

/// Each row of a batch cut into blocks of neighbors, numbered from 0.
struct Blocks {
  at::Tensor index;  ///< `[B, n]`, the number of each entry's block

  /// The sum of each block, at its number: `[B, n]`, zero beyond the last block.
  at::Tensor sums(const at::Tensor& t) const;
  /// `per_block`, at the number of each block, as each entry has it.
  at::Tensor spread(const at::Tensor& per_block) const { return per_block.gather(1, index); }
  /// The mean of its block for each entry; with weights where they are defined.
  at::Tensor means(const at::Tensor& t, const at::Tensor& weights = {}) const;
};

/// The numbers of `t` on the host, in double, one row after another.
at::Tensor on_host(const at::Tensor& t);

/// The blocks of which the least-squares fit to each row of `y` is constant, with the fit nondecreasing. One
/// block for a row that is not finite, or has weights that are not positive. On the host, in double.
Blocks isotonic_blocks(const at::Tensor& y, const at::Tensor& weights = {});

}  // namespace stillpoint::detail
