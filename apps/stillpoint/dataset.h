#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>

namespace stillpoint::app {

/// Images with their labels.
struct Examples {
  at::Tensor images;  ///< [N, 784] float, pixels in [0, 1]
  at::Tensor labels;  ///< [N] int64, in [0, 9]

  std::int64_t size() const { return labels.size(0); }
  /// The examples that `indices` (int64) names, in that order.
  Examples select(const at::Tensor& indices) const;
  /// `count` examples from `begin`, or those up to the end.
  Examples slice(std::int64_t begin, std::int64_t count) const;
};

struct Dataset {
  Examples train;
  Examples test;
};

/// Reads the four files of MNIST (or Fashion-MNIST) from a directory, as IDX files, gzipped or not, onto
/// `device`. Throws UserError.
Dataset load_dataset(const std::filesystem::path& directory, c10::Device device);

}  // namespace stillpoint::app
