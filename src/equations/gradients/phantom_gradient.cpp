#include "stillpoint/equations/gradients/phantom_gradient.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/variable.h>

namespace stillpoint {

at::Tensor PhantomGradient::differentiate(Problem& problem) const {
  const bool iterates = problem.f.form() == Form::FixedPoint;
  TORCH_CHECK(iterates || problem.contraction != nullptr,
              "gradient: PhantomGradient takes steps z ← g(z), which lead to no root; use ImplicitGradient");
  TORCH_CHECK(steps >= 1, "PhantomGradient.steps: expected ≥ 1, got ", steps);
  TORCH_CHECK(damping > 0.0 && damping <= 1.0, "PhantomGradient.damping: expected a number in (0, 1], got ",
              damping);
  const at::Tensor solved = problem.solve();
  const Map step =
      iterates ? Map([&](const at::Tensor& x) { return problem.f(x); }) : problem.contraction(solved);
  at::Tensor z = solved;
  for (std::int64_t k = 0; k < steps; ++k) {
    const at::Tensor fz = step(z);
    z = damping == 1.0 ? fz : z + damping * (fz - z);
  }
  // The value is what was solved for; only the derivative is that of the steps.
  at::Tensor out = solved.detach();
  if (z.requires_grad()) {
    torch::autograd::impl::set_gradient_edge(out, torch::autograd::impl::gradient_edge(z));
  }
  return out;
}

}  // namespace stillpoint
