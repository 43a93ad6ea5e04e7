#include "image_network.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <numeric>

namespace stillpoint::app {
namespace {

constexpr std::int64_t kMostGroups = 32;
constexpr int kBlocks = 6;

// Two channels a group at least: alone, a channel would have the same mean in every image.
torch::nn::GroupNorm group_norm(std::int64_t width) {
  const std::int64_t groups = width % 2 == 0 ? std::gcd(kMostGroups, width / 2) : 1;
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, width));
}

torch::nn::Conv2d convolution(std::int64_t from, std::int64_t to, bool bias) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(from, to, 3).padding(1).bias(bias));
}

/// Half as many pixels a side.
torch::nn::Conv2d halving(std::int64_t width) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(width, width, 4).stride(2).padding(1));
}

}  // namespace

ImageNetwork::ImageNetwork(std::int64_t width)
    : convolutions_{torch::nn::Conv2d(torch::nn::Conv2dOptions(1, width, 3)), halving(width), halving(width)},
      norms_{group_norm(width), group_norm(width)},
      norm_after_(register_module("norm_after", group_norm(width))),
      decoder_(register_module("decoder", torch::nn::Linear(width, 10))) {
  for (std::size_t i = 0; i < convolutions_.size(); ++i)
    register_module(fmt::format("convolution_{}", i + 1), convolutions_[i]);
  for (std::size_t i = 0; i < norms_.size(); ++i) register_module(fmt::format("norm_{}", i + 1), norms_[i]);
}

at::Tensor ImageNetwork::forward(const at::Tensor& images) {
  auto features = convolutions_[0](images.view({-1, 1, 28, 28}));
  for (std::size_t i = 0; i < norms_.size(); ++i) features = convolutions_[i + 1](norms_[i](features).relu());
  return decoder_(norm_after_(middle(features)).relu().mean({2, 3}));
}

ResidualImageNetwork::ResidualImageNetwork(std::int64_t width) : ImageNetwork(width) {
  for (int i = 1; i <= kBlocks; ++i) {
    Block block{group_norm(width), group_norm(width), convolution(width, width, /*bias=*/false),
                convolution(width, width, /*bias=*/false)};
    register_module(fmt::format("norm_{}_1", i), block.norm_1);
    register_module(fmt::format("convolution_{}_1", i), block.conv_1);
    register_module(fmt::format("norm_{}_2", i), block.norm_2);
    register_module(fmt::format("convolution_{}_2", i), block.conv_2);
    blocks_.push_back(std::move(block));
  }
}

at::Tensor ResidualImageNetwork::middle(const at::Tensor& features) {
  auto y = features;
  for (auto& block : blocks_) y = y + block.conv_2(block.norm_2(block.conv_1(block.norm_1(y).relu())).relu());
  return y;
}

void ImageFieldImpl::reset() {
  norm_1_ = register_module("norm_1", group_norm(width_));
  conv_1_ = register_module("convolution_1", convolution(width_ + 1, width_, /*bias=*/true));
  norm_2_ = register_module("norm_2", group_norm(width_));
  conv_2_ = register_module("convolution_2", convolution(width_ + 1, width_, /*bias=*/true));
  norm_3_ = register_module("norm_3", group_norm(width_));
}

at::Tensor ImageFieldImpl::forward(const at::Tensor& t, const at::Tensor& y) {
  ++calls;
  const auto time = t.expand({y.size(0), 1, y.size(2), y.size(3)});
  const auto with_time = [&](const at::Tensor& features) { return torch::cat({time, features}, 1); };
  const auto inside = conv_1_(with_time(norm_1_(y).relu()));
  return norm_3_(conv_2_(with_time(norm_2_(inside).relu())));
}

OdeImageNetwork::OdeImageNetwork(std::int64_t width, const OdeintOptions& options)
    : ImageNetwork(width), field_(width), ode_(register_module("ode", nn::NeuralOde(field_, options))) {}

at::Tensor OdeImageNetwork::middle(const at::Tensor& features) {
  auto y = ode_(features);
  calls_ = field_->calls;
  return y;
}

std::optional<SolveCost> OdeImageNetwork::cost() const {
  SolveCost cost{.forward = static_cast<double>(ode_->stats().evaluations)};
  if (field_->calls > calls_) cost.backward = static_cast<double>(field_->calls - calls_);
  for (const auto status : ode_->stats().status) cost.solved.push_back(status == ode::Status::Finished);
  return cost;
}

void OdeImageNetwork::solve_exactly(const FixedPointOptions& /*reference*/) {
  ode_->options = {.gradient = ode::Discrete{}, .tolerance = {.relative = 1e-9, .absolute = 1e-9}};
}

}  // namespace stillpoint::app
