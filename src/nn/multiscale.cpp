#include "stillpoint/nn/multiscale.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>

#include <algorithm>
#include <mutex>
#include <ostream>
#include <utility>

#include "core/report_lock.h"
#include "nn/equilibrium_conv.h"

namespace stillpoint::nn {
namespace {

using torch::nn::Sequential;

torch::nn::GroupNorm group_norm(std::int64_t groups, std::int64_t channels) {
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, channels));
}

// From resolution `from` to `to`, without the upsampling.
Sequential fusion_path(const MultiscaleOptions& options, std::size_t from, std::size_t to) {
  const auto& channels = options.channels;
  Sequential path;
  if (from > to) {
    path->push_back(detail::equilibrium_conv(channels[from], channels[to], 1));
    path->push_back(group_norm(options.groups, channels[to]));
  }
  for (std::size_t i = from; i < to; ++i) {
    const std::int64_t out = i + 1 == to ? channels[to] : channels[from];
    if (i > from) path->push_back(torch::nn::ReLU());
    path->push_back(detail::equilibrium_conv(channels[from], out, 3, /*stride=*/2));
    path->push_back(group_norm(options.groups, out));
  }
  return path;
}

}  // namespace

MultiscaleImpl::MultiscaleImpl(MultiscaleOptions layer_options) : options(std::move(layer_options)) {
  TORCH_CHECK(!options.channels.empty(),
              "MultiscaleOptions.channels: expected at least one resolution, got none");
  for (const std::int64_t channels : options.channels) {
    TORCH_CHECK(options.groups >= 1 && channels % options.groups == 0,
                "MultiscaleOptions.groups: expected a divisor of all channels, got ", options.groups, " for ",
                channels);
  }
  MultiscaleImpl::reset();
}

void MultiscaleImpl::reset() {
  const auto& channels = options.channels;
  injections_ = register_module("injections", torch::nn::ModuleList());
  blocks_ = register_module("blocks", torch::nn::ModuleList());
  paths_ = register_module("paths", torch::nn::ModuleList());
  ends_ = register_module("ends", torch::nn::ModuleList());
  for (std::size_t to = 0; to < channels.size(); ++to) {
    if (to > 0) {
      injections_->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(channels[0], channels[to], 1)));
    }
    blocks_->push_back(ResidualConv(
        ResidualConvOptions{.channels = channels[to], .inner = channels[to], .groups = options.groups}));
    for (std::size_t from = 0; from < channels.size(); ++from) {
      paths_->push_back(fusion_path(options, from, to));  // empty where both are the same
    }
    const auto last = group_norm(options.groups, channels[to]);
    torch::nn::init::constant_(last->weight, 0.1);
    ends_->push_back(
        Sequential(torch::nn::ReLU(), detail::equilibrium_conv(channels[to], channels[to], 1), last));
  }
}

std::vector<at::Tensor> MultiscaleImpl::inject(const at::Tensor& x) {
  std::vector<at::Tensor> injected{x};
  at::Tensor pooled = x;
  for (const auto& injection : *injections_) {
    pooled = at::avg_pool2d(pooled, 2, 2, 0, /*ceil_mode=*/true);
    injected.push_back(injection->as<torch::nn::Conv2dImpl>()->forward(pooled));
  }
  return injected;
}

std::vector<at::Tensor> MultiscaleImpl::cell(const std::vector<at::Tensor>& z,
                                             const std::vector<at::Tensor>& injected) {
  const std::size_t count = z.size();
  std::vector<at::Tensor> y;
  for (std::size_t i = 0; i < count; ++i) {
    y.push_back(blocks_[i]->as<ResidualConvImpl>()->forward(z[i], injected[i]));
  }
  std::vector<at::Tensor> next;
  for (std::size_t to = 0; to < count; ++to) {
    at::Tensor sum = y[to];
    for (std::size_t from = 0; from < count; ++from) {
      if (from == to) continue;
      at::Tensor part = paths_[to * count + from]->as<torch::nn::SequentialImpl>()->forward(y[from]);
      if (from > to) part = at::upsample_nearest2d(part, y[to].sizes().slice(2));
      sum = sum + part;
    }
    next.push_back(ends_[to]->as<torch::nn::SequentialImpl>()->forward(sum));
  }
  return next;
}

std::vector<at::Tensor> MultiscaleImpl::forward(const at::Tensor& x) {
  // A copy of the handle: the backward pass may call it when this layer's owner is gone.
  const auto self = std::dynamic_pointer_cast<MultiscaleImpl>(shared_from_this());
  const auto injected = inject(x);
  std::vector<at::Tensor> start(injected.size());
  std::ranges::transform(injected, start.begin(),
                         [](const at::Tensor& part) { return at::zeros_like(part); });
  auto solution =
      fixed_point([self, injected](const std::vector<at::Tensor>& z) { return self->cell(z, injected); },
                  start, options.solve);
  const std::lock_guard<std::mutex> lock(stillpoint::detail::report_lock);
  stats_ = std::move(solution.stats);
  return solution.value;
}

void MultiscaleImpl::pretty_print(std::ostream& stream) const {
  stream << "stillpoint::nn::Multiscale(channels=" << at::IntArrayRef(options.channels)
         << ", solver=" << options.solve.solver.name() << ")";
}

}  // namespace stillpoint::nn
