#include "policy.h"

#include <torch/types.h>

#include "fixed_point_network.h"

namespace stillpoint::app {
namespace {

constexpr std::int64_t kStateNumbers = 4;
constexpr std::int64_t kUnits = 32;
constexpr std::int64_t kPushes = 2;

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
      equilibrium_(register_module("equilibrium", nn::FixedPoint(torch::nn::AnyModule(TanhCell(kUnits))))) {
  to(torch::kDouble);
}

at::Tensor EquilibriumPolicy::forward(const at::Tensor& states) {
  const auto x = encoder_(states);
  return decoder_(equilibrium_(x, x.tanh()));
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
