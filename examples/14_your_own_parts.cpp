// A solver, a gradient rule and a linear solver of your own. Each is a type with the right member function,
// passed in place of one of the library's. The map z = a cos z acts on each number by itself, and all three
// make use of that.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <iostream>

namespace sp = stillpoint;
using torch::Tensor;

/// Aitken's extrapolation, for each number by itself: two evaluations per iteration.
struct Aitken {
  void solve(const sp::CheckedMap& f, const Tensor& z0, sp::Monitor& monitor) const {
    auto z = z0;
    while (true) {
      const auto fz = f(z);
      if (!monitor.update(z, fz)) {
        return;
      }
      const auto ffz = f(fz);
      const auto bend = ffz - 2 * fz + z;
      z = torch::where(bend == 0, ffz, z - (fz - z).square() / bend);
    }
  }
};

/// The implicit function theorem where the Jacobian is diagonal: dz* = df / (1 − f'). First order only,
/// because the slope is taken for a constant.
struct DiagonalGradient {
  Tensor differentiate(sp::Problem& problem) const {
    const auto z = problem.solve();
    const auto slope = problem.f.record(z).vjp(torch::ones_like(z));
    const auto fz = problem.f(z);
    return z + (fz - fz.detach()) / (1 - slope);
  }
};

/// Damped fixed-point iteration x ← x + damping (b − A x). Unlike the undamped one it converges where f' <
/// −1.
struct DampedNeumann {
  double damping = 0.5;

  sp::Solution<Tensor> solve(const sp::LinearOperator& a, const Tensor& b, const Tensor& x0,
                             const sp::ResolvedTolerance& tolerance) const {
    sp::Monitor monitor(tolerance, /*max_iterations=*/500, b.size(0));
    sp::RowNorms norms;
    auto x = x0.defined() ? x0 : torch::zeros_like(b);
    while (true) {
      const auto ax = a.mv(x).contiguous();
      sp::residual_norms(b, ax, tolerance.norm, norms);  // ‖A x − b‖, to be compared with ‖b‖
      if (!monitor.update(x, norms)) {
        break;
      }
      x = x + damping * (b - ax);
    }
    sp::Stats stats;
    stats.method = "damped Neumann";
    stats.evaluations = monitor.steps() + 1;
    monitor.write(stats);
    return {monitor.best(), stats};
  }
};

/// ∂(Σ z*)/∂a for z = a cos z. At a = 1.5 the slope is −1.19: neither Picard nor Neumann converges there.
Tensor gradient(const sp::FixedPointOptions& options) {
  const auto a = torch::tensor({0.5, 1.0, 1.5}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [&](const Tensor& z) { return a * torch::cos(z); };
  const auto [z, stats] = sp::fixed_point(f, torch::ones({3}, torch::kDouble), options);
  z.sum().backward();
  std::cout << stats.brief() << '\n';
  if (stats.backward) {
    std::cout << "  backward: " << stats.backward->brief() << '\n';
  }
  return a.grad();
}

int main() {
  const auto expected = gradient({});
  const auto diagonal = gradient({.solver = Aitken{}, .gradient = DiagonalGradient{}});
  const auto damped =
      gradient({.solver = Aitken{}, .gradient = sp::ImplicitGradient{.linear_solver = DampedNeumann{}}});
  const bool equal = torch::allclose(diagonal, expected, 1e-8) && torch::allclose(damped, expected, 1e-8);
  std::cout << (equal ? "the gradients agree\n" : "the gradients differ\n");
  return equal ? 0 : 1;
}
