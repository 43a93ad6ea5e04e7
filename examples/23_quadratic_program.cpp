// A layer whose output is the solution of an optimization problem: three quantities that cost least, sum to
// one and stay within limits. Their derivatives in all data, and of second order, come with them; and a
// program without a solution says why.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

int main() {
  const auto options = torch::dtype(torch::kDouble);
  const auto Q = torch::tensor({{4.0, 1.0, 0.0}, {1.0, 2.0, 0.5}, {0.0, 0.5, 3.0}}, options);
  const auto p = torch::tensor({-1.0, -0.8, -2.0}, options.requires_grad(true));
  const auto one = torch::ones({1}, options);
  const auto solve = [&](const torch::Tensor& most) {
    return stillpoint::quadratic_program({.Q = Q,
                                          .p = p,
                                          .A = torch::ones({1, 3}, options),
                                          .b = one,
                                          .lower = torch::zeros({3}, options),
                                          .upper = most * torch::ones({3}, options)},
                                         {.on_failure = stillpoint::OnFailure::Ignore});
  };
  const auto most = torch::tensor(0.6, options.requires_grad(true));
  const auto solution = solve(most);
  const auto x = solution.x[0];
  std::printf("x = (%.6f, %.6f, %.6f)\n%s\n", x[0].item<double>(), x[1].item<double>(), x[2].item<double>(),
              solution.stats.brief().c_str());

  const auto first = torch::autograd::grad({x[0].square()}, {p, most}, {}, true, true);
  std::printf("d x0^2 / d limit = %.6f\n", first[1].item<double>());
  const auto second = torch::autograd::grad({first[1]}, {most})[0];
  std::printf("d2 x0^2 / d limit^2 = %.6f\n", second.item<double>());

  const auto none = solve(torch::tensor(0.3, options));
  std::printf("limits of 0.3: %s\n", to_string(none.stats.status[0]));
  // With x2 at its limit, x0 and x1 share what is left.
  const double x0 = x[0].item<double>();
  return std::abs(x[2].item<double>() - 0.6) < 1e-12 && std::abs(x.sum().item<double>() - 1) < 1e-12 && x0 > 0
             ? 0
             : 1;
}
