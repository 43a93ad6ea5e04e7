#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace stillpoint::app {

/// Samples with what a network is to make of them.
struct Examples {
  at::Tensor inputs;   ///< [N, …]
  at::Tensor targets;  ///< [N, …]

  std::int64_t size() const { return targets.size(0); }
  /// The examples that `indices` (int64) names, in that order.
  Examples select(const at::Tensor& indices) const;
  /// `count` examples from `begin`, or those up to the end.
  Examples slice(std::int64_t begin, std::int64_t count) const;
};

/// All numbers of a tensor, on the host.
std::vector<double> numbers_of(const at::Tensor& t);

struct Dataset {
  Examples train;
  Examples test;
};

/// MNIST or Fashion-MNIST: images [N, 784] float with pixels in [0, 1], and labels [N] int64 from 0 to 9.
/// Read from the four IDX files in a directory, gzipped or not, onto `device`. Throws UserError.
Dataset load_images(const std::filesystem::path& directory, c10::Device device);

/// The same images in sets of 8 (top_k_network.h): [N, 8, 784] with their labels [N, 8], as digits. Each is
/// used once, and a set only if its third largest digit is larger than its fourth.
Dataset load_image_sets(const std::filesystem::path& directory, c10::Device device);

/// A text in pieces of `length` bytes, [N, length] int64, each with the bytes that come next as its targets;
/// the last tenth is for the test. Throws UserError.
Dataset load_text(const std::filesystem::path& file, std::int64_t length, c10::Device device);

/// Sudoku boards of 4 × 4 cells and their solutions, [N, 64] float (boards.h), zero where a cell is empty.
/// Each line of the file has 16 digits row by row, 0 for an empty cell, a space, and the 16 digits of the
/// solution; the last tenth is for the test. Throws UserError.
Dataset load_boards(const std::filesystem::path& file, c10::Device device);

/// 9000 training and 1000 test signals [N, 100], noisy, with what they are without noise: one to nine pieces
/// of heights that are integers from 10 to 100, and normal noise of deviation 10. The same ones each time.
/// (Amos, Kolter 2017, OptNet, section 4.2.)
Dataset make_signals(c10::Device device);
inline constexpr std::int64_t kSignalLength = 100;

/// 4096 training and 1000 test points x [N, 1], uniform in [−2, 2], with y = 1.5 x³ + x² − 5 x + 2 sin x − 3
/// and normal noise of deviation 0.05: the same ones each time. (Bai, Koltun, Kolter 2021, Stabilizing
/// Equilibrium Models by Jacobian Regularization, section 5.1.)
Dataset make_curve(c10::Device device);

/// The spiral dy/dt = y³ A with A = [[−0.1, 2], [−2, −0.1]], from (2, 0) at 1,000 times up to 25: its pieces
/// of ten times as inputs [N, 2] and targets [N, 10, 2]; the test is all of it. (The example of torchdiffeq.)
Dataset make_spiral(c10::Device device);
inline constexpr double kSpiralEnd = 25;
inline constexpr std::int64_t kSpiralTimes = 1000;

/// Likewise of prey and predators with rates (1.5, 1, 3, 1), from (1, 1) at 101 times up to 10.
Dataset make_lotka_volterra(c10::Device device);
inline constexpr double kLotkaVolterraEnd = 10;
inline constexpr std::int64_t kLotkaVolterraTimes = 101;

/// 200 training and 50 test heights [N, 1], from 2 to 12, with the times at which a ball that is dropped
/// there touches the ground, [N, 4], by the formula.
Dataset make_contacts(c10::Device device);

}  // namespace stillpoint::app
