#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <iosfwd>
#include <vector>

#include "stillpoint/equations/fixed_point.h"
#include "stillpoint/nn/residual_conv.h"

namespace stillpoint::nn {

/// Options of `Multiscale`.
struct MultiscaleOptions {
  /// The channels of each resolution, from the finest to the coarsest; at least one. Each resolution has half
  /// the height and width of the one before, rounded up.
  std::vector<std::int64_t> channels = {24, 48};
  std::int64_t groups = 8;  ///< of the group norms; divides all channels
  FixedPointOptions solve = {};
};

/// A multiscale deep-equilibrium layer: feature maps of several resolutions that are in equilibrium with each
/// other, z* = f(z*, x).
///
/// In f, each resolution first goes through a `ResidualConv`. Into this x is injected, halved by average
/// pooling as often as needed and mapped by a 1×1 convolution. Then each resolution takes in all others:
/// finer ones through strided 3×3 convolutions, one for each halving; coarser ones through a 1×1 convolution
/// and nearest-neighbor upsampling; each with a group norm. A ReLU, a 1×1 convolution and a group norm end
/// it. The weight of that last norm begins at 0.1 instead of 1, so that a new layer's f contracts.
///
/// The state is a tuple. Samples do not mix. Exact to any order. (Bai, Koltun, Kolter 2020, Multiscale Deep
/// Equilibrium Models, section 3, where x enters at the finest resolution only.)
class MultiscaleImpl : public torch::nn::Cloneable<MultiscaleImpl> {
 public:
  /// Errors: a c10::Error if channels is empty or the groups do not divide them.
  explicit MultiscaleImpl(MultiscaleOptions layer_options = {});

  /// x `[B, channels[0], H, W]` → z* of each resolution, `[B, channels[i], ⌈H / 2ⁱ⌉, ⌈W / 2ⁱ⌉]`. The solve
  /// starts from zeros.
  std::vector<at::Tensor> forward(const at::Tensor& x);
  /// What is injected of x at each resolution, in the shapes of z*.
  std::vector<at::Tensor> inject(const at::Tensor& x);
  /// f(z), with what was injected.
  std::vector<at::Tensor> cell(const std::vector<at::Tensor>& z, const std::vector<at::Tensor>& injected);

  /// How the latest forward pass went, and the backward pass after it.
  const Stats& stats() const { return stats_; }

  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  MultiscaleOptions options;

 private:
  torch::nn::ModuleList injections_, blocks_, paths_, ends_;
  Stats stats_;
};

TORCH_MODULE(Multiscale);

}  // namespace stillpoint::nn
