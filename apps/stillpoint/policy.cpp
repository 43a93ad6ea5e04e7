#include "policy.h"

#include <torch/types.h>

namespace stillpoint::app {
namespace {

constexpr std::int64_t kStateNumbers = 4;
constexpr std::int64_t kUnits = 32;
constexpr std::int64_t kPushes = 2;
constexpr double kContraction = 0.9;

}  // namespace

TanhPolicy::TanhPolicy()
    : encoder_(register_module("encoder", torch::nn::Linear(kStateNumbers, kUnits))),
      decoder_(register_module("decoder", torch::nn::Linear(kUnits, kPushes))) {
  to(torch::kDouble);
}

at::Tensor TanhPolicy::forward(const at::Tensor& states) { return decoder_(encoder_(states).tanh()); }

EquilibriumPolicy::EquilibriumPolicy()
    : encoder_(register_module("encoder", torch::nn::Linear(kStateNumbers, kUnits))),
      decoder_(register_module("decoder", torch::nn::Linear(kUnits, kPushes))),
      recurrent_(register_module("recurrent",
                                 torch::nn::Linear(torch::nn::LinearOptions(kUnits, kUnits).bias(false)))) {
  to(torch::kDouble);
}

at::Tensor EquilibriumPolicy::forward(const at::Tensor& states) {
  const auto x = encoder_(states);
  const auto v = recurrent_->weight;
  const auto w = (kContraction * v / (1 + v.norm())).t();
  const auto f = [=](const at::Tensor& z) { return torch::addmm(x, z, w).tanh(); };
  const auto [z, stats] = fixed_point(f, x.tanh(), options_);
  stats_ = stats;
  return decoder_(z);
}

ValueNetwork::ValueNetwork(double scale)
    : scale_(scale),
      encoder_(register_module("encoder", torch::nn::Linear(kStateNumbers, kUnits))),
      decoder_(register_module("decoder", torch::nn::Linear(kUnits, 1))) {
  to(torch::kDouble);
}

at::Tensor ValueNetwork::forward(const at::Tensor& states) {
  return scale_ * decoder_(encoder_(states).tanh());
}

}  // namespace stillpoint::app
