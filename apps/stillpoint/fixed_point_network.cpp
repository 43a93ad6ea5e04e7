#include "fixed_point_network.h"

#include <torch/types.h>

namespace stillpoint::app {
namespace {
constexpr std::int64_t kPixels = 28 * 28;
constexpr std::int64_t kTanhWidth = 100;
constexpr std::int64_t kLabels = 10;
}  // namespace

void TanhCellImpl::reset() {
  recurrent_ =
      register_module("recurrent", torch::nn::Linear(torch::nn::LinearOptions(width_, width_).bias(false)));
}

at::Tensor TanhCellImpl::forward(const at::Tensor& z, const at::Tensor& x) {
  return torch::addmm(x, z, recurrent_->weight.t()).tanh();
}

FixedPointNetwork::FixedPointNetwork(const FixedPointOptions& options)
    : encoder_(register_module("encoder", torch::nn::Linear(kPixels, kTanhWidth))),
      equilibrium_(register_module("equilibrium",
                                   nn::FixedPoint(torch::nn::AnyModule(TanhCell(kTanhWidth)), options))),
      decoder_(register_module("decoder", torch::nn::Linear(kTanhWidth, kLabels))) {}

at::Tensor FixedPointNetwork::forward(const at::Tensor& images) {
  const auto x = encoder_(images);
  return decoder_(equilibrium_(x, x.tanh()));
}

}  // namespace stillpoint::app
