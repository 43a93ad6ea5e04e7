// A stiff equation: three reactions whose rates differ by nine powers of ten. The implicit method takes few
// steps; how the products depend on each rate comes with them. An explicit one is kept short by the fast
// rates.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

namespace ode = stillpoint::ode;
using torch::Tensor;

int main() {
  // Robertson's kinetics: A → B, B + B → C + B, B + C → A + C.
  const Tensor k = torch::tensor({0.04, 3e7, 1e4}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto f = [k](const Tensor& y) {
    const Tensor slow = k[0] * y.select(1, 0);
    const Tensor fast = k[1] * y.select(1, 1).square();
    const Tensor back = k[2] * y.select(1, 1) * y.select(1, 2);
    return torch::stack({back - slow, slow - fast - back, fast}, 1);
  };
  const Tensor start = torch::tensor({{1.0, 0.0, 0.0}}, torch::kDouble);

  const auto [y, stats] = stillpoint::odeint(f, start, {0, 1, 100, 10000},
                                             {.method = ode::Kvaerno5{}, .tolerance = {.absolute = 1e-12}});
  std::printf("%s\n", stats.brief().c_str());
  for (std::int64_t i = 1; i < 4; ++i)
    std::printf("A = %.6f  B = %.4e  C = %.6f\n", y[0][i][0].item<double>(), y[0][i][1].item<double>(),
                y[0][i][2].item<double>());

  const Tensor products = y[0][3][2];
  const Tensor gradient = torch::autograd::grad({products}, {k})[0] * k.detach();
  std::printf("d C / d log k = %.6f, %.6f, %.6f\n", gradient[0].item<double>(), gradient[1].item<double>(),
              gradient[2].item<double>());

  const auto explicit_steps =
      stillpoint::odeint(f, start, {0, 1}, {.tolerance = {.absolute = 1e-12}}).stats.accepted[0];
  std::printf("Tsit5 takes %lld steps to the first of these times\n", static_cast<long long>(explicit_steps));
  const double total = y[0][3].sum().item<double>();
  return stats.finished() && std::abs(total - 1.0) < 1e-6 ? 0 : 1;
}
