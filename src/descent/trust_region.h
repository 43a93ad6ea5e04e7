#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// The gain of a step in ‖r‖² over the one that a model of r predicted, from ‖r‖ now, as predicted, and at
/// the trial point: 1 for a perfect model, 0 or less where there is nothing to be had. Never NaN, whatever
/// the trial is.
double gain_ratio(double now, double predicted, double trial);

/// The variables in which a region is a ball, so that their units do not matter: of each column of the
/// matrices, `[B, N, N]`, the largest norm so far, `[B, N]`; 1 if it has always been zero. `before` is the
/// result for the matrices before, undefined at first.
at::Tensor column_scale(const at::Tensor& matrix, const at::Tensor& before);

/// For each sample of a batch the radius within which its model is trusted, and the verdict on its steps. (As
/// in Moré, Garbow, Hillstrom 1980, User guide for MINPACK-1, hybrj; but a step that gained little halves its
/// own length, if that is less than the radius.)
class TrustRegion {
 public:
  explicit TrustRegion(std::vector<double> radius);

  const std::vector<double>& radius() const { return radius_; }
  /// The samples whose latest step is to be taken.
  const Mask& accepted() const { return accepted_; }

  /// Gives the marked samples these radii, where what was learnt of theirs is of no use any more.
  void renew(const Mask& marked, const std::vector<double>& radius);
  /// Takes in the steps of the running samples: their lengths, and their gains over the predicted ones.
  void judge(const std::vector<double>& length, const std::vector<double>& ratio, const Mask& running);

 private:
  void judge_one(std::size_t b, double length, double ratio);

  std::vector<double> radius_;
  Mask accepted_;
  bool first_ = true;
};

}  // namespace stillpoint::detail
