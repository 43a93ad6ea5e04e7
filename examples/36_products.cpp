// Products with derivatives: Jacobians, Hessians, Gauss-Newton and Fisher matrices, of one tensor, of a list,
// and of a module's parameters; and conjugate gradients with a Hessian that is recorded once.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(1);
  const auto x = torch::tensor({1.0, 2.0}, torch::kDouble), v = torch::tensor({4.0, 5.0}, torch::kDouble);
  const auto f = [](const Tensor& y) { return torch::stack({y[0] * y[1], y[0].pow(3)}); };
  const auto J = sp::jacobian(f, x);
  std::printf("J = [%g %g; %g %g]\n", J[0][0].item<double>(), J[0][1].item<double>(), J[1][0].item<double>(),
              J[1][1].item<double>());
  const auto along = sp::jvp(f, x, v).product, back = sp::vjp(f, x, v).product;
  std::printf("J v = (%g, %g), v'J = (%g, %g)\n", along[0].item<double>(), along[1].item<double>(),
              back[0].item<double>(), back[1].item<double>());
  const auto H = sp::hessian([&](const Tensor& y) { return f(y).sum(); }, x);
  std::printf("H = [%g %g; %g %g]\n", H[0][0].item<double>(), H[0][1].item<double>(), H[1][0].item<double>(),
              H[1][1].item<double>());

  // The parameters of a module. The matrix of least squares, J'J, is that of Gauss and Newton.
  torch::nn::Linear linear(3, 1);
  linear->to(torch::kDouble);
  const auto features = torch::randn({20, 3}, torch::kDouble);
  const auto targets = torch::randn({20, 1}, torch::kDouble);
  const auto outputs = [&] { return linear->forward(features); };
  const auto loss = [&](const Tensor& y) { return 0.5 * (y - targets).square().sum(); };
  const auto parameters = linear->parameters();
  const auto hessian = sp::hessian_at([&] { return loss(outputs()); }, parameters);
  const auto gauss_newton = sp::gauss_newton_at(outputs, loss, parameters);
  const std::vector<Tensor> direction{torch::ones({1, 3}, torch::kDouble), torch::ones({1}, torch::kDouble)};
  const double apart = (hessian(direction)[0] - gauss_newton(direction)[0]).abs().max().item<double>();
  std::printf("of a linear model both are the same: they differ by %.0e\n", apart);

  // H d = -g by conjugate gradients; each step replays the record.
  std::vector<Tensor> d, r, p;
  for (const Tensor& g : hessian.gradient()) {
    d.push_back(torch::zeros_like(g));
    r.push_back(-g);
    p.push_back(-g);
  }
  const auto dot = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    return ((a[0] * b[0]).sum() + (a[1] * b[1]).sum()).item<double>();
  };
  int products = 0;
  for (double size = dot(r, r); size > 1e-20 && products < 10; ++products) {
    const auto product = hessian(p);
    const double length = size / dot(p, product);
    for (std::size_t i = 0; i < d.size(); ++i) {
      d[i] += length * p[i];
      r[i] -= length * product[i];
    }
    const double next = dot(r, r);
    for (std::size_t i = 0; i < d.size(); ++i) p[i] = r[i] + next / size * p[i];
    size = next;
  }
  {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < d.size(); ++i) Tensor(parameters[i]).add_(d[i]);
  }
  loss(outputs()).backward();
  const double slope = linear->weight.grad().abs().max().item<double>();
  std::printf("after %d products the gradient is %.0e\n", products, slope);
  return apart < 1e-12 && slope < 1e-9 ? 0 : 1;
}
