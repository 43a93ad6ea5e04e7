// Hessian–vector products: of y = Σ x², and of an energy that reads x through a fixed point.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <iostream>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  const auto x = torch::tensor({{1.0, 2.0}}, torch::kDouble);
  const auto v = torch::tensor({{4.0, 5.0}}, torch::kDouble);

  const auto [y, product] = sp::hvp([](const Tensor& t) { return t.square().sum(); }, x, v);
  std::cout << "y = sum x^2 = " << y.item<double>() << ", H v = (" << product[0][0].item<double>() << ", "
            << product[0][1].item<double>() << ")\n";

  const auto weight = torch::tensor({{0.3, -0.4}, {0.5, 0.2}}, torch::kDouble);
  const auto energy = [&](const Tensor& t) {
    const auto f = [&](const Tensor& z) { return torch::tanh(torch::mm(z, weight) + t); };
    return sp::fixed_point(f, torch::zeros_like(t)).value.square().sum();
  };
  const auto through = sp::hvp(energy, x, v).product;

  // The same from first derivatives on both sides of x.
  const auto slope = [&](const Tensor& at) {
    const auto t = at.clone().requires_grad_();
    return torch::autograd::grad({energy(t)}, {t})[0];
  };
  const double step = 1e-5;
  const auto differences = (slope(x + step * v) - slope(x - step * v)) / (2 * step);

  std::cout << "through a fixed point, H v =\n"
            << through << "\nby finite differences\n"
            << differences << '\n';
  const bool right = torch::equal(product, 2 * v) && torch::allclose(through, differences, 1e-5, 1e-8);
  return right ? 0 : 1;
}
