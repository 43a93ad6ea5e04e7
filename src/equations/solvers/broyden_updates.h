#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/rows/rows.h"
#include "stillpoint/core/condition.h"

namespace stillpoint::detail {

/// The approximate inverse H = H₀ + Σ uⱼ vⱼᵀ of each sample, and the steps that it leads to. States and
/// residuals are rows `[B, N]`. Nothing of a sample is written to once it has stopped running, so that its H
/// stays what it was.
class BroydenUpdates {
 public:
  /// Which samples go on, which of them have an evaluation better than all before, which go back to their
  /// best iterate, and which of these drop their updates and begin again at H₀. A sample may be better and go
  /// back.
  struct Marks {
    const Mask& running;
    const Mask& better;
    const Mask& returns;
    const Mask& begins;
  };

  /// For rows like these, with room for `memory` updates of each, from H₀, `[B, N, N]`; undefined: the
  /// identity.
  BroydenUpdates(const at::Tensor& like, std::int64_t memory, Form form, at::Tensor start);

  /// Replaces the H₀ of the marked samples, which is not the identity.
  void renew_start(const Mask& mark, const at::Tensor& start);

  /// The next iterates from z and fz = f(z): takes in the good update, after which H (r_before − r) = step,
  /// and goes H r times the sample's length further, from `best` for samples that go back. Samples that are
  /// not running stay at z.
  at::Tensor step(const at::Tensor& z, const at::Tensor& fz, const at::Tensor& best, const Marks& marks,
                  const std::vector<double>& lengths);

  /// Hᵀ x for rows x.
  at::Tensor transposed_times(const at::Tensor& x) const;

  /// Frees what only `step` needs.
  void settle();

 private:
  /// What is kept of a sample for the next step: the step s, p = H r where it began, q = H r⁺ by the same H
  /// where it ended, the r where the next step begins, the r of the best iterate, and room for one vector
  /// more.
  enum Work : std::int64_t { kStep, kBefore, kAfter, kResidual, kBestResidual, kSpare, kWork };

  /// The arithmetic of the recurrence: on one sample with the row kernels, or on all of them with ATen.
  template <class T>
  class Row;
  class Batch;
  template <class Samples>
  static void advance(Samples& samples, const Marks& marks);
  template <class Samples>
  static void take_in_update(Samples& samples);

  template <class T>
  void step_rows(const at::Tensor& z, const at::Tensor& fz, const at::Tensor& best, const Marks& marks,
                 const std::vector<double>& lengths, at::Tensor& next);
  template <class T>
  void transposed_rows(const at::Tensor& x, at::Tensor& out) const;
  at::Tensor start_times(const at::Tensor& x, bool transposed) const;
  at::Tensor times(const at::Tensor& first, const at::Tensor& left, const at::Tensor& right,
                   const at::Tensor& x) const;

  std::int64_t batch_;
  std::int64_t width_;
  std::int64_t stride_;  // from one vector to the next: whole cache lines in rows, for aligned loads
  std::int64_t memory_;
  bool fixed_point_;
  bool rows_;                       // by the row kernels, else by ATen
  std::vector<std::int64_t> used_;  // updates of each sample
  at::Tensor start_;                // H₀, [B, N, N]; undefined for the identity
  at::Tensor u_, v_;                // [B, memory, stride]
  at::Tensor work_;                 // [B, kWork, stride]
  std::vector<double> step_dots_;   // uⱼ · s, [B, memory]
  std::vector<double> dots_;        // of one sample at a time
  Recycler recycler_;
};

}  // namespace stillpoint::detail
