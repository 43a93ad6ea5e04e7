#include "critics.h"

#include <torch/nn/modules/activation.h>
#include <torch/types.h>

namespace stillpoint::app {
namespace {

FixedPointOptions equilibrium_options() {
  return {.solver = Anderson{.memory = 5},
          .gradient = ImplicitGradient{.tolerance = {.relative = 1e-4, .absolute = 0.0}},
          .tolerance = {.relative = 1e-4, .absolute = 1e-6},
          .max_iterations = 100,
          .on_failure = OnFailure::Ignore};
}

}  // namespace

torch::nn::Sequential plane_network(std::int64_t inputs, std::int64_t width, std::int64_t outputs) {
  using torch::nn::Linear;
  using torch::nn::ReLU;
  return torch::nn::Sequential(Linear(inputs, width), ReLU(), Linear(width, width), ReLU(),
                               Linear(width, width), ReLU(), Linear(width, outputs));
}

EquilibriumCritic::EquilibriumCritic(std::int64_t width)
    : options(equilibrium_options()),
      encoder_(register_module("encoder", torch::nn::Linear(2, width))),
      recurrent_(register_module("recurrent",
                                 nn::SpectralNormLinear(torch::nn::LinearOptions(width, width).bias(false),
                                                        nn::SpectralNormOptions{.coefficient = 0.9}))),
      decoder_(register_module("decoder", torch::nn::Linear(width, 1))) {}

at::Tensor EquilibriumCritic::forward(const at::Tensor& points) {
  const auto input = encoder_(points);
  const auto weight = recurrent_->weight().t();
  auto [equilibrium, stats] =
      fixed_point([=](const at::Tensor& z) { return torch::addmm(input, z, weight).tanh(); },
                  input.detach().tanh(), options);
  stats_ = std::move(stats);
  return decoder_(equilibrium).squeeze(1);
}

}  // namespace stillpoint::app
