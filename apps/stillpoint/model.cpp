#include "model.h"

#include <torch/types.h>

namespace stillpoint::app {
namespace {
constexpr std::int64_t kPixels = 28 * 28;
constexpr std::int64_t kWidth = 100;
constexpr std::int64_t kClasses = 10;
}  // namespace

void TanhCellImpl::reset() {
  recurrent_ =
      register_module("recurrent", torch::nn::Linear(torch::nn::LinearOptions(width_, width_).bias(false)));
}

at::Tensor TanhCellImpl::forward(const at::Tensor& z, const at::Tensor& x) {
  return torch::addmm(x, z, recurrent_->weight.t()).tanh();
}

ClassifierImpl::ClassifierImpl(const FixedPointOptions& options)
    : encoder_(register_module("encoder", torch::nn::Linear(kPixels, kWidth))),
      cell_(kWidth),
      equilibrium_(register_module("equilibrium", nn::FixedPoint(torch::nn::AnyModule(cell_), options))),
      decoder_(register_module("decoder", torch::nn::Linear(kWidth, kClasses))) {}

at::Tensor ClassifierImpl::forward(const at::Tensor& images) {
  const auto x = encoder_(images);
  const auto z = equilibrium_(x, start(x));
  return decoder_(z);
}

at::Tensor ClassifierImpl::start(const at::Tensor& x) { return x.tanh(); }

Classifier copy_weights(const Classifier& model, const FixedPointOptions& options) {
  Classifier copy(options);
  const auto from = model->parameters();
  copy->to(from.front().device(), from.front().scalar_type());
  const auto to = copy->parameters();
  torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i].copy_(from[i]);
  }
  return copy;
}

}  // namespace stillpoint::app
