#include "stillpoint/nn/parametrizations.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <torch/nn/functional/conv.h>

#include <cmath>
#include <ostream>
#include <type_traits>
#include <vector>

#include "core/rows/rows.h"

namespace stillpoint::nn {
namespace {

using torch::nn::Conv2dOptions;
using torch::nn::LinearOptions;

void check_layer_options(const LinearOptions&) {}

void check_layer_options(const Conv2dOptions& options) {
  TORCH_CHECK(options.padding_mode().index() == Conv2dOptions::padding_mode_t(torch::kZeros).index(),
              "layer_options: expected padding with zeros");
  TORCH_CHECK(options.in_channels() % options.groups() == 0 && options.out_channels() % options.groups() == 0,
              "layer_options: expected numbers of channels that the ", options.groups(),
              " groups divide, got ", options.in_channels(), " and ", options.out_channels());
}

std::vector<int64_t> weight_shape(const LinearOptions& options) {
  return {options.out_features(), options.in_features()};
}

std::vector<int64_t> weight_shape(const Conv2dOptions& options) {
  const auto& kernel = *options.kernel_size();
  return {options.out_channels(), options.in_channels() / options.groups(), kernel[0], kernel[1]};
}

at::Tensor apply_weight(const LinearOptions&, const at::Tensor& input, const at::Tensor& weight,
                        const at::Tensor& bias) {
  return at::linear(input, weight, bias);
}

at::Tensor apply_weight(const Conv2dOptions& options, const at::Tensor& input, const at::Tensor& weight,
                        const at::Tensor& bias) {
  return torch::nn::functional::conv2d(input, weight,
                                       torch::nn::functional::Conv2dFuncOptions()
                                           .bias(bias)
                                           .stride(options.stride())
                                           .padding(options.padding())
                                           .dilation(options.dilation())
                                           .groups(options.groups()));
}

template <class Options>
void print_layer(std::ostream& stream, const char* norm, const Options& options) {
  const bool linear = std::is_same_v<Options, LinearOptions>;
  stream << "stillpoint::nn::" << norm << (linear ? "Linear" : "Conv2d")
         << "(weight=" << at::IntArrayRef(weight_shape(options))
         << ", bias=" << (options.bias() ? "true" : "false");
}

// The length of each output's part of a weight, shaped to broadcast against it.
at::Tensor output_lengths(const at::Tensor& weight) {
  return stillpoint::detail::as_column(weight.flatten(1).norm(2, 1), weight);
}

at::Tensor unit_vector(const at::Tensor& x) { return x / x.norm().clamp_min(1e-12); }

}  // namespace

template <class Derived, class Options>
ParametrizedLayer<Derived, Options>::ParametrizedLayer(const Options& layer_options)
    : options(layer_options) {
  check_layer_options(options);
}

template <class Derived, class Options>
at::Tensor ParametrizedLayer<Derived, Options>::forward_with(const at::Tensor& input,
                                                             const at::Tensor& weight) const {
  return apply_weight(options, input, weight, bias);
}

template <class Derived, class Options>
at::Tensor ParametrizedLayer<Derived, Options>::initial_weight() {
  const at::NoGradGuard no_grad;
  at::Tensor weight = at::empty(weight_shape(options));
  const double inputs = static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0));
  const double bound = 1.0 / std::sqrt(inputs);
  weight.uniform_(-bound, bound);
  bias = this->register_parameter(
      "bias", options.bias() ? at::empty({weight.size(0)}).uniform_(-bound, bound) : at::Tensor(),
      options.bias());
  return weight;
}

template <class Options>
WeightNormImpl<Options>::WeightNormImpl(const Options& layer_options)
    : ParametrizedLayer<WeightNormImpl, Options>(layer_options) {
  reset();
}

template <class Options>
void WeightNormImpl<Options>::reset() {
  direction = this->register_parameter("direction", this->initial_weight());
  magnitude = this->register_parameter("magnitude", output_lengths(direction.detach()));
}

template <class Options>
at::Tensor WeightNormImpl<Options>::weight() const {
  return direction * (magnitude / output_lengths(direction));
}

template <class Options>
void WeightNormImpl<Options>::pretty_print(std::ostream& stream) const {
  print_layer(stream, "WeightNorm", this->options);
  stream << ")";
}

template <class Options>
SpectralNormImpl<Options>::SpectralNormImpl(const Options& layer_options, SpectralNormOptions norm_options)
    : ParametrizedLayer<SpectralNormImpl, Options>(layer_options), norm(norm_options) {
  TORCH_CHECK(norm.coefficient > 0.0, "SpectralNormOptions.coefficient: expected > 0, got ",
              norm.coefficient);
  TORCH_CHECK(norm.power_iterations >= 1, "SpectralNormOptions.power_iterations: expected ≥ 1, got ",
              norm.power_iterations);
  reset();
}

template <class Options>
void SpectralNormImpl<Options>::reset() {
  raw_weight = this->register_parameter("raw_weight", this->initial_weight());
  const at::Tensor matrix = raw_weight.detach().flatten(1);
  left = this->register_buffer("left", unit_vector(at::randn({matrix.size(0)}, matrix.options())));
  right = this->register_buffer("right", at::zeros({matrix.size(1)}, matrix.options()));
  iterate(15);
}

template <class Options>
void SpectralNormImpl<Options>::iterate(std::int64_t count) {
  const at::NoGradGuard no_grad;
  const at::Tensor matrix = raw_weight.flatten(1);
  for (std::int64_t i = 0; i < count; ++i) {
    right.copy_(unit_vector(matrix.t().mv(left)));
    left.copy_(unit_vector(matrix.mv(right)));
  }
}

template <class Options>
at::Tensor SpectralNormImpl<Options>::weight() {
  if (this->is_training()) iterate(norm.power_iterations);
  // Copies, since the next update writes into the buffers.
  const at::Tensor sigma = left.clone().dot(raw_weight.flatten(1).mv(right.clone()));
  return raw_weight * (norm.coefficient / sigma);
}

template <class Options>
void SpectralNormImpl<Options>::pretty_print(std::ostream& stream) const {
  print_layer(stream, "SpectralNorm", this->options);
  stream << ", coefficient=" << norm.coefficient << ")";
}

template class WeightNormImpl<LinearOptions>;
template class WeightNormImpl<Conv2dOptions>;
template class SpectralNormImpl<LinearOptions>;
template class SpectralNormImpl<Conv2dOptions>;
template class ParametrizedLayer<WeightNormImpl<LinearOptions>, LinearOptions>;
template class ParametrizedLayer<WeightNormImpl<Conv2dOptions>, Conv2dOptions>;
template class ParametrizedLayer<SpectralNormImpl<LinearOptions>, LinearOptions>;
template class ParametrizedLayer<SpectralNormImpl<Conv2dOptions>, Conv2dOptions>;

}  // namespace stillpoint::nn
