#include "stillpoint/nn/monotone.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <torch/nn/functional/conv.h>
#include <torch/nn/functional/padding.h>

#include <cmath>
#include <mutex>
#include <ostream>
#include <utility>
#include <vector>

#include "core/report_lock.h"

namespace stillpoint::nn {
namespace {

namespace functional = torch::nn::functional;

Map activation_of(const MonotoneOptions& options) {
  if (options.activation != nullptr) return options.activation;
  return [](const at::Tensor& z) { return at::relu(z); };
}

// |det|^(1/N) of the matrices `[…, N, N]`, their mean in the logarithm.
double geometric_mean(const at::Tensor& matrices) {
  const at::Tensor logarithm = std::get<1>(at::linalg_slogdet(matrices.detach())).mean();
  return std::exp(logarithm.item<double>() / static_cast<double>(matrices.size(-1)));
}

// The kernel of the identity.
at::Tensor unit_kernel(const at::Tensor& like) {
  at::Tensor unit = at::zeros_like(like);
  const std::int64_t center = like.size(2) / 2;
  unit.select(3, center).select(2, center).fill_diagonal_(1.0);
  return unit;
}

at::Tensor circular_convolution(const at::Tensor& z, const at::Tensor& kernel) {
  if (z.size(0) == 0) return z;  // which LibTorch does not pad
  const std::int64_t pad = kernel.size(2) / 2;
  const at::Tensor padded =
      functional::pad(z, functional::PadFuncOptions({pad, pad, pad, pad}).mode(torch::kCircular));
  return at::conv2d(padded, kernel);
}

// The circular convolution with `kernel` on images of height × width, as a matrix for each frequency:
// [frequencies, channels, channels].
at::Tensor frequency_matrices(const at::Tensor& kernel, std::int64_t height, std::int64_t width) {
  const std::int64_t channels = kernel.size(0);
  const std::int64_t center = kernel.size(2) / 2;
  at::Tensor image = at::zeros({channels, channels, height, width}, kernel.options());
  for (std::int64_t i = 0; i < kernel.size(2); ++i) {
    for (std::int64_t j = 0; j < kernel.size(3); ++j) {
      const std::int64_t row = (i - center + 2 * height) % height;
      const std::int64_t column = (j - center + 2 * width) % width;
      image.select(3, column).select(2, row).add_(kernel.select(3, j).select(2, i));
    }
  }
  // What LibTorch calls a convolution is a correlation: hence the conjugate.
  return at::fft_fft2(image).conj().resolve_conj().flatten(2).permute({2, 0, 1});
}

// v ↦ (I + α (I − W))⁻¹ (v + α b)
Map convolutional_resolvent(const at::Tensor& kernel, const at::Tensor& bias, double step) {
  const std::int64_t height = bias.size(2);
  const std::int64_t width = bias.size(3);
  // Those that a spectrum of real images is made of.
  const at::Tensor w = frequency_matrices(kernel, height, width)
                           .view({height, width, kernel.size(0), kernel.size(0)})
                           .narrow(1, 0, width / 2 + 1)
                           .flatten(0, 1);
  const at::Tensor inverse = at::linalg_inv((1.0 + step) * at::eye(w.size(1), w.options()) - step * w);
  return [=](const at::Tensor& v) {
    const at::Tensor spectrum = at::fft_rfft2(at::add(v, bias, step));  // [B, C, H, W / 2 + 1]
    const at::Tensor solved = at::bmm(inverse, spectrum.flatten(2).permute({2, 1, 0}));
    return at::fft_irfft2(solved.permute({2, 1, 0}).reshape(spectrum.sizes()), at::IntArrayRef{height, width})
        .contiguous();
  };
}

}  // namespace

template <class Derived>
MonotoneLayer<Derived>::MonotoneLayer(MonotoneOptions layer_options) : options(std::move(layer_options)) {
  TORCH_CHECK(options.monotonicity > 0.0, "MonotoneOptions.monotonicity: expected a number > 0, got ",
              options.monotonicity);
}

template <class Derived>
at::Tensor MonotoneLayer<Derived>::forward(const at::Tensor& x, const at::Tensor& z0) {
  auto& self = static_cast<Derived&>(*this);
  TORCH_CHECK(x.defined() && x.dim() == a.dim() && x.size(1) == self.input->weight.size(1),
              "x: expected [B, ", self.input->weight.size(1), a.dim() == 2 ? "]" : ", H, W]", ", got ",
              x.defined() ? c10::str(x.sizes()) : "an undefined tensor");
  const at::Tensor injected = self.input(x);
  Solution<at::Tensor> solution =
      fixed_point(self.map_of(injected), z0.defined() ? z0 : at::zeros_like(injected), options.solve);
  const std::lock_guard<std::mutex> lock(stillpoint::detail::report_lock);
  stats_ = std::move(solution.stats);
  return solution.value;
}

template <class Derived>
void MonotoneLayer<Derived>::pretty_print(std::ostream& stream) const {
  stream << "stillpoint::nn::Monotone" << (a.dim() == 2 ? "Linear" : "Conv2d") << "(weight=" << a.sizes()
         << ", monotonicity=" << options.monotonicity << ", solver=" << options.solve.solver.name() << ")";
}

MonotoneLinearImpl::MonotoneLinearImpl(std::int64_t in_features, std::int64_t width,
                                       MonotoneOptions layer_options)
    : MonotoneLayer(std::move(layer_options)), in_features_(in_features), width_(width) {
  MonotoneLinearImpl::reset();
}

void MonotoneLinearImpl::reset() {
  const auto inner = [this] { return torch::nn::Linear(width_, width_)->weight.detach(); };
  input = register_module("input", torch::nn::Linear(in_features_, width_));
  a = register_parameter("a", inner());
  b = register_parameter("b", inner());
}

at::Tensor MonotoneLinearImpl::weight() const {
  return (1.0 - options.monotonicity) * at::eye(width_, a.options()) - a.t().mm(a) + b - b.t();
}

MonotoneMap MonotoneLinearImpl::map_of(const at::Tensor& injected) const {
  const at::Tensor w = weight();
  const at::Tensor identity = at::eye(width_, w.options());
  return {.affine = [=](const at::Tensor& z) { return at::addmm(injected, z, w.t()); },
          .activation = activation_of(options),
          .resolvent = [=](double step) -> Map {
            const at::Tensor inverse = at::linalg_inv((1.0 + step) * identity - step * w).t();
            const at::Tensor offset = step * injected.mm(inverse);
            return [=](const at::Tensor& v) { return at::addmm(offset, v, inverse); };
          },
          .scale = [=] { return geometric_mean(identity - w); }};
}

MonotoneConv2dImpl::MonotoneConv2dImpl(std::int64_t in_channels, std::int64_t channels,
                                       std::int64_t kernel_size, MonotoneOptions layer_options)
    : MonotoneLayer(std::move(layer_options)),
      in_channels_(in_channels),
      channels_(channels),
      kernel_size_(kernel_size) {
  TORCH_CHECK(kernel_size >= 1 && kernel_size % 2 == 1, "kernel_size: expected an odd number ≥ 1, got ",
              kernel_size);
  MonotoneConv2dImpl::reset();
}

void MonotoneConv2dImpl::reset() {
  const auto inner = [this] {
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(channels_, channels_, kernel_size_))->weight.detach();
  };
  input = register_module(
      "input",
      torch::nn::Conv2d(
          torch::nn::Conv2dOptions(in_channels_, channels_, kernel_size_).padding(kernel_size_ / 2)));
  a = register_parameter("a", inner());
  b = register_parameter("b", inner());
}

// With A z at the pixel p the sum over s of A[s] z[p + s], that of AᵀA z is the sum over d of (Σ_s A[s]ᵀ A[s
// + d]) z[p + d]: a correlation of A with itself.
at::Tensor MonotoneConv2dImpl::weight() const {
  const std::int64_t reach = kernel_size_ - 1;
  const at::Tensor gram =
      at::conv2d(a.transpose(0, 1), a.transpose(0, 1), {}, 1, at::IntArrayRef{reach, reach}).transpose(0, 1);
  const std::int64_t border = reach / 2;
  const at::Tensor wide_b = at::constant_pad_nd(b, {border, border, border, border});
  return (1.0 - options.monotonicity) * unit_kernel(gram) - gram + wide_b -
         wide_b.flip({2, 3}).transpose(0, 1);
}

MonotoneMap MonotoneConv2dImpl::map_of(const at::Tensor& injected) const {
  TORCH_CHECK(injected.size(2) >= kernel_size_ - 1 && injected.size(3) >= kernel_size_ - 1,
              "x: expected images of at least ", kernel_size_ - 1, " pixels a side, got ", injected.size(2),
              " × ", injected.size(3));
  const at::Tensor w = weight();
  return {.affine = [=](const at::Tensor& z) { return circular_convolution(z, w) + injected; },
          .activation = activation_of(options),
          .resolvent = [=](double step) { return convolutional_resolvent(w, injected, step); },
          .scale =
              [=] {
                return geometric_mean(
                    frequency_matrices(unit_kernel(w) - w.detach(), injected.size(2), injected.size(3)));
              }};
}

template class MonotoneLayer<MonotoneLinearImpl>;
template class MonotoneLayer<MonotoneConv2dImpl>;

}  // namespace stillpoint::nn
