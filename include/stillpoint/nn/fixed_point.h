#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/common.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/pimpl.h>

#include "stillpoint/equations/fixed_point.h"

namespace stillpoint::nn {

/// A deep-equilibrium layer: z* = cell(z*, x), for any module `cell` with forward(Tensor z, Tensor x) →
/// Tensor.
///
/// Parameters and buffers are those of the cell, under the name "cell": save, load, `to` and `clone` work as
/// for any module (clone asks for a cell that is `Cloneable`). In training and in evaluation mode it does the
/// same; the cell follows the mode. A cell must be deterministic within a solve: one that draws a new dropout
/// mask or updates batch statistics at each evaluation has no fixed point, and its status will say so.
class FixedPointImpl : public torch::nn::Cloneable<FixedPointImpl> {
 public:
  explicit FixedPointImpl(torch::nn::AnyModule cell, FixedPointOptions solve_options = {});

  /// z* from `z0`, which gives the shape of the state (a warm start, or a state shaped unlike x). Without it
  /// from zeros of the shape of x.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& z0 = {});

  /// How the latest forward pass went, and the backward pass after it.
  const Stats& stats() const { return stats_; }

  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  FixedPointOptions options;

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())})

 private:
  torch::nn::AnyModule cell_;
  Stats stats_;
};

TORCH_MODULE(FixedPoint);

}  // namespace stillpoint::nn
