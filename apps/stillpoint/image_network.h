#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <vector>

#include "network.h"
#include "stillpoint/nn/neural_ode.h"

// Images [B, 784] → Conv(1, 3×3) – GN – ReLU – Conv(4×4, stride 2) – GN – ReLU – Conv(4×4, stride 2), which
// is `width` channels at 6 × 6 pixels; then what the networks here have in their middle; then GN – ReLU –
// mean over the pixels – Linear → logits [B, 10]. GN are group norms of at most 32
// groups, and two channels a group at least. (Chen, Rubanova,
// Bettencourt, Duvenaud 2018, "Neural ordinary differential equations", section 3: there, the width is 64.)
namespace stillpoint::app {

/// Nothing in the middle: what the others add is the difference to this.
class ImageNetwork : public Network {
 public:
  explicit ImageNetwork(std::int64_t width);

  at::Tensor forward(const at::Tensor& images) override;

 protected:
  virtual at::Tensor middle(const at::Tensor& features) { return features; }

 private:
  std::vector<torch::nn::Conv2d> convolutions_;
  std::vector<torch::nn::GroupNorm> norms_;
  torch::nn::GroupNorm norm_after_;
  torch::nn::Linear decoder_;
};

/// Six blocks y + Conv(ReLU(GN(Conv(ReLU(GN(y)))))), 3×3 without bias.
class ResidualImageNetwork : public ImageNetwork {
 public:
  explicit ResidualImageNetwork(std::int64_t width);

 protected:
  at::Tensor middle(const at::Tensor& features) override;

 private:
  struct Block {
    torch::nn::GroupNorm norm_1, norm_2;
    torch::nn::Conv2d conv_1, conv_2;
  };
  std::vector<Block> blocks_;
};

/// dy/dt = GN(Conv(ReLU(GN(Conv(ReLU(GN(y))))))) with 3×3 convolutions, which have the time as one more
/// channel.
class ImageFieldImpl : public torch::nn::Cloneable<ImageFieldImpl> {
 public:
  explicit ImageFieldImpl(std::int64_t width) : width_(width) { reset(); }
  void reset() override;
  at::Tensor forward(const at::Tensor& t, const at::Tensor& y);

  std::int64_t calls = 0;

 private:
  std::int64_t width_;
  torch::nn::GroupNorm norm_1_ = nullptr, norm_2_ = nullptr, norm_3_ = nullptr;
  torch::nn::Conv2d conv_1_ = nullptr, conv_2_ = nullptr;
};
TORCH_MODULE(ImageField);

/// y(1) of that field.
class OdeImageNetwork : public ImageNetwork {
 public:
  OdeImageNetwork(std::int64_t width, const OdeintOptions& options);

  std::optional<SolveCost> cost() const override;
  OdeintOptions* ode_options() override { return &ode_->options; }
  void solve_exactly(const FixedPointOptions& reference) override;

 protected:
  at::Tensor middle(const at::Tensor& features) override;

 private:
  ImageField field_;
  nn::NeuralOde ode_;
  std::int64_t calls_ = 0;  // until the end of the latest forward pass
};

}  // namespace stillpoint::app
