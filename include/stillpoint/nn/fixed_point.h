#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/common.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/pimpl.h>

#include "stillpoint/equations/fixed_point.h"

namespace stillpoint::nn {

/// A deep-equilibrium layer: z* = cell(z*, x), for any module `cell` with `forward(Tensor z, Tensor x) →
/// Tensor`.
///
/// Its parameters and buffers are those of the cell, under the name "cell". Save, load, `to` and `clone` work
/// as for any module (clone needs a cell that is `Cloneable`). The layer does the same in training and in
/// evaluation mode, and the cell follows the mode. A cell must be deterministic within a solve. If it draws a
/// new dropout mask or updates batch statistics at each evaluation, it has no fixed point, and the status
/// says so.
class FixedPointImpl : public torch::nn::Cloneable<FixedPointImpl> {
 public:
  explicit FixedPointImpl(torch::nn::AnyModule cell, FixedPointOptions solve_options = {});

  /// z*, from the start `z0`. The start gives the shape of the state, so pass it for a warm start or for a
  /// state that is not shaped like x. Without it, the solve starts from zeros of the shape of x.
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
