// The peak memory of a training step, for more and more iterations. Unrolled it grows; implicit it does not.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

#include "peak_bytes.h"

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(0);
  const auto weight = (torch::randn({100, 100}) * 0.09).requires_grad_();
  const auto x = torch::randn({100, 100});
  const auto f = [&](const Tensor& z) { return torch::tanh(torch::addmm(x, z, weight)); };

  const auto peak_of_step = [&](const sp::GradientRule& gradient, std::int64_t iterations) {
    const sp::FixedPointOptions options{.solver = sp::Picard{},
                                        .gradient = gradient,
                                        .tolerance = {.relative = 0, .absolute = 0},  // run to the end
                                        .max_iterations = iterations,
                                        .on_failure = sp::OnFailure::Ignore};
    weight.mutable_grad().reset();
    return peak_bytes([&] { sp::fixed_point(f, torch::zeros_like(x), options).value.sum().backward(); });
  };

  bool constant = true;
  std::int64_t first = 0;
  std::printf("iterations   unrolled bytes   implicit bytes\n");
  for (const std::int64_t iterations : {10, 100, 1000}) {
    const auto unrolled = peak_of_step(sp::UnrolledGradient{}, iterations);
    const auto implicit = peak_of_step(sp::ImplicitGradient{}, iterations);
    std::printf("%10ld   %14ld   %14ld\n", static_cast<long>(iterations), static_cast<long>(unrolled),
                static_cast<long>(implicit));
    first = first == 0 ? implicit : first;
    constant = constant && implicit == first && unrolled > iterations * static_cast<std::int64_t>(x.nbytes());
  }
  return constant ? 0 : 1;
}
