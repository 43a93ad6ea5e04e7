#include "support/more_garbow_hillstrom.h"

#include <cmath>

namespace stillpoint::test {
namespace {

Tensor row(const std::vector<double>& numbers) { return vector(numbers).unsqueeze(0); }

Tensor filled_row(std::int64_t n, double number) { return torch::full({1, n}, number, options()); }

// 1 … n as double or as `like` is.
Tensor one_to(std::int64_t n, const torch::TensorOptions& like = options()) {
  return torch::arange(1, n + 1, like);
}

// The inner ones of n + 2 points from 0 to 1.
Tensor inner_points(std::int64_t n, const torch::TensorOptions& like = options()) {
  return one_to(n, like) / static_cast<double>(n + 1);
}

Tensor join(const std::vector<Tensor>& columns) { return torch::stack(columns, 1); }

// x with a column of zeros on either side.
Tensor zero_ends(const Tensor& x) { return torch::constant_pad_nd(x, {1, 1}); }

// MINPACK 1.
NonlinearSystem rosenbrock() {
  return {.name = "Rosenbrock",
          .start = row({-1.2, 1.0}),
          .residual =
              [](const Tensor& x) {
                const Tensor x1 = x.select(1, 0), x2 = x.select(1, 1);
                return join({1.0 - x1, 10.0 * (x2 - x1.square())});
              },
          .roots = {row({1.0, 1.0})}};
}

// MINPACK 2. The Jacobian has rank 2 at the root.
NonlinearSystem powell_singular() {
  return {.name = "Powell singular",
          .start = row({3.0, -1.0, 0.0, 1.0}),
          .residual =
              [](const Tensor& x) {
                const Tensor x1 = x.select(1, 0), x2 = x.select(1, 1), x3 = x.select(1, 2),
                             x4 = x.select(1, 3);
                return join({x1 + 10.0 * x2, std::sqrt(5.0) * (x3 - x4), (x2 - 2.0 * x3).square(),
                             std::sqrt(10.0) * (x1 - x4).square()});
              },
          .roots = {zeros({1, 4})}};
}

// MINPACK 3. It is symmetric, so its two roots are one, swapped.
NonlinearSystem powell_badly_scaled() {
  constexpr double small = 1.0981593296998175e-05, large = 9.106146739866524;
  return {.name = "Powell badly scaled",
          .start = row({0.0, 1.0}),
          .residual =
              [](const Tensor& x) {
                const Tensor x1 = x.select(1, 0), x2 = x.select(1, 1);
                return join({1e4 * x1 * x2 - 1.0, (-x1).exp() + (-x2).exp() - 1.0001});
              },
          .roots = {row({small, large}), row({large, small})}};
}

// MINPACK 4. The gradient of Wood's function with its entries 1 and 3 halved. Its one minimum and two saddles
// are all real roots there are: eliminating x2, x4 and x3 leaves a polynomial of degree 9 with three real
// zeros.
NonlinearSystem wood() {
  return {
      .name = "Wood",
      .start = row({-3.0, -1.0, -3.0, -1.0}),
      .residual =
          [](const Tensor& x) {
            const Tensor x1 = x.select(1, 0), x2 = x.select(1, 1), x3 = x.select(1, 2), x4 = x.select(1, 3);
            const Tensor first = x2 - x1.square(), second = x4 - x3.square();
            return join(
                {-200.0 * x1 * first - (1.0 - x1), 200.0 * first + 20.2 * (x2 - 1.0) + 19.8 * (x4 - 1.0),
                 -180.0 * x3 * second - (1.0 - x3), 180.0 * second + 20.2 * (x4 - 1.0) + 19.8 * (x2 - 1.0)});
          },
      .roots = {
          row({1.0, 1.0, 1.0, 1.0}),
          row({-0.9679740249375931, 0.9471391408178418, -0.9695163103315911, 0.9512476657923252}),
          row({-0.03125102339433596, 0.16597138685578314, -0.031258171023264066, 0.18426393469672842})}};
}

// MINPACK 5.
NonlinearSystem helical_valley() {
  return {.name = "helical valley",
          .start = row({-1.0, 0.0, 0.0}),
          .residual =
              [](const Tensor& x) {
                const Tensor x1 = x.select(1, 0), x2 = x.select(1, 1), x3 = x.select(1, 2);
                // MINPACK's turns go from −1/4 to 3/4, atan2's from −1/2 to 1/2. Unlike atan(x2 / x1), atan2
                // has finite derivatives where x1 = 0.
                const Tensor turns = torch::atan2(x2, x1) / (2.0 * M_PI);
                const Tensor theta = torch::where((x1 < 0.0) & (turns < 0.0), turns + 1.0, turns);
                const Tensor radius = (x1.square() + x2.square()).sqrt();
                return join({10.0 * (x3 - 10.0 * theta), 10.0 * (radius - 1.0), x3});
              },
          .roots = {row({1.0, 0.0, 0.0})}};
}

// MINPACK 6. Half the gradient of the sum of squares that Watson's function is.
NonlinearSystem watson(std::vector<double> root) {
  const auto width = static_cast<std::int64_t>(root.size());
  return {.name = "Watson " + std::to_string(width),
          .start = zeros({1, width}),
          .residual =
              [](const Tensor& x) {
                const auto n = x.size(1);
                const Tensor t = one_to(29, x.options()).unsqueeze(1) / 29.0;
                const Tensor degree = torch::arange(n, x.options());
                const Tensor powers = t.pow(degree), slopes = degree * t.pow(degree - 1.0);
                const Tensor polynomial = x.matmul(powers.t());
                const Tensor error = x.matmul(slopes.t()) - polynomial.square() - 1.0;
                const Tensor x1 = x.narrow(1, 0, 1), x2 = x.narrow(1, 1, 1);
                const Tensor last = x2 - x1.square() - 1.0;
                return error.matmul(slopes) - 2.0 * (error * polynomial).matmul(powers) +
                       torch::cat({x1 * (1.0 - 2.0 * last), last, torch::zeros_like(x.narrow(1, 2, n - 2))},
                                  1);
              },
          .roots = {row(root)}};
}

// MINPACK 7. Any order of a root's entries is a root too.
NonlinearSystem chebyquad(std::int64_t width, std::vector<Tensor> roots) {
  return {.name = "Chebyquad " + std::to_string(width),
          .start = inner_points(width).unsqueeze(0),
          .residual =
              [](const Tensor& x) {
                const Tensor y = 2.0 * x - 1.0;
                Tensor before = torch::ones_like(y), polynomial = y;
                std::vector<Tensor> columns;
                for (std::int64_t k = 1; k <= x.size(1); ++k) {
                  const double minus_integral = k % 2 == 0 ? 1.0 / static_cast<double>(k * k - 1) : 0.0;
                  columns.push_back(polynomial.mean(1) + minus_integral);
                  const Tensor next = 2.0 * y * polynomial - before;
                  before = polynomial;
                  polynomial = next;
                }
                return join(columns);
              },
          .roots = std::move(roots)};
}

// MINPACK 8. All but the last equation make all but the last entry equal, to a with
// n aⁿ − (n + 1) aⁿ⁻¹ + 1 = 0, and the last one is a¹⁻ⁿ. For even n, a = 1 and `other` are all real zeros.
NonlinearSystem brown_almost_linear(std::int64_t width, double other) {
  const Tensor root = filled_row(width, other);
  root.select(1, width - 1).fill_(std::pow(other, static_cast<double>(1 - width)));
  return {.name = "Brown almost-linear " + std::to_string(width),
          .start = filled_row(width, 0.5),
          .residual =
              [](const Tensor& x) {
                const auto n = x.size(1);
                const Tensor linear = x + (x.sum(1, true) - static_cast<double>(n + 1));
                // Not Tensor::prod, whose derivative depends on whether a zero is anywhere in the batch.
                Tensor product = x.narrow(1, 0, 1);
                for (std::int64_t k = 1; k < n; ++k) product = product * x.narrow(1, k, 1);
                return torch::cat({linear.narrow(1, 0, n - 1), product - 1.0}, 1);
              },
          .roots = {filled_row(width, 1.0), root}};
}

// Of both discretizations of x″ = (x + t + 1)³ / 2, x(0) = x(1) = 0: the second one's sums are the inverse of
// the first one's differences. No other root is real, for x ↦ (x + t + 1)³ is monotone.
Tensor boundary_value_root() {
  return row({-0.04316498251876487, -0.08157715653538689, -0.11448571438052929, -0.14097357686259668,
              -0.1599086961819831, -0.16987720231277492, -0.16908998378120835, -0.15524953522183182,
              -0.125355891678935, -0.07541653368589209});
}

Tensor boundary_value_start() {
  const Tensor t = inner_points(10);
  return (t * (t - 1.0)).unsqueeze(0);
}

// MINPACK 9.
NonlinearSystem discrete_boundary_value() {
  return {.name = "discrete boundary value",
          .start = boundary_value_start(),
          .residual =
              [](const Tensor& x) {
                const auto n = x.size(1);
                const double h = 1.0 / static_cast<double>(n + 1);
                const Tensor all = zero_ends(x), before = all.narrow(1, 0, n), after = all.narrow(1, 2, n);
                const Tensor cube = (x + inner_points(n, x.options()) + 1.0).pow(3);
                return 2.0 * x - before - after + (0.5 * h * h) * cube;
              },
          .roots = {boundary_value_root()}};
}

// MINPACK 10.
NonlinearSystem discrete_integral_equation() {
  return {.name = "discrete integral equation",
          .start = boundary_value_start(),
          .residual =
              [](const Tensor& x) {
                const auto n = x.size(1);
                const double h = 1.0 / static_cast<double>(n + 1);
                const Tensor t = inner_points(n, x.options()), other = t.unsqueeze(1);
                const Tensor kernel = torch::minimum(t, other) * (1.0 - torch::maximum(t, other));
                return x + (0.5 * h) * (x + t + 1.0).pow(3).matmul(kernel);
              },
          .roots = {boundary_value_root()}};
}

// MINPACK 11. There are many more roots, among them these with 2π added to any entry. From the standard start
// hybrd ends near a local minimum of ‖residual‖, 5.3e-3.
NonlinearSystem trigonometric() {
  return {.name = "trigonometric",
          .start = filled_row(10, 0.1),
          .residual =
              [](const Tensor& x) {
                const auto n = x.size(1);
                const Tensor cosine = x.cos();
                return static_cast<double>(n) - cosine.sum(1, true) +
                       one_to(n, x.options()) * (1.0 - cosine) - x.sin();
              },
          .roots = {zeros({1, 10}),
                    row({0.0343962889257372, 0.0350323157413494, 0.035719195825958, 0.03646522421825092,
                         0.0372809117388555, 0.03817986254748341, 0.039180141082453365, 0.040306502644077015,
                         0.1797201916971708, 0.15624088142700163})}};
}

// MINPACK 12.
NonlinearSystem variably_dimensioned() {
  return {.name = "variably dimensioned",
          .start = 1.0 - (one_to(10) / 10.0).unsqueeze(0),
          .residual =
              [](const Tensor& x) {
                const Tensor k = one_to(x.size(1), x.options()), sum = (k * (x - 1.0)).sum(1, true);
                return x - 1.0 + k * (sum * (1.0 + 2.0 * sum.square()));
              },
          .roots = {filled_row(10, 1.0)}};
}

// MINPACK 13.
NonlinearSystem broyden_tridiagonal() {
  return {.name = "Broyden tridiagonal",
          .start = filled_row(10, -1.0),
          .residual =
              [](const Tensor& x) {
                const auto n = x.size(1);
                const Tensor all = zero_ends(x), before = all.narrow(1, 0, n), after = all.narrow(1, 2, n);
                return (3.0 - 2.0 * x) * x - before - 2.0 * after + 1.0;
              },
          .roots = {row({-0.5707221320112248, -0.681806949984275, -0.7022100760176601, -0.7055106298950804,
                         -0.7049061557287437, -0.7014966070298512, -0.6918893223547983, -0.6657965144058537,
                         -0.5960351090263657, -0.4164122575286934}),
                    row({1.8326004012611672, -0.10952362881084006, -0.5925810691147383, -0.6852621127398537,
                         -0.7011867977090994, -0.7008120654752639, -0.6917622504740516, -0.66577235415437,
                         -0.596030233550781, -0.41641121255558516})}};
}

// MINPACK 14.
NonlinearSystem broyden_banded() {
  return {.name = "Broyden banded",
          .start = filled_row(10, -1.0),
          .residual =
              [](const Tensor& x) {
                const auto n = x.size(1);
                // Five entries before one's own and one after it.
                const Tensor band =
                    torch::ones({n, n}, x.options()).triu(-5).tril(1) - torch::eye(n, x.options());
                return x * (2.0 + 5.0 * x.square()) + 1.0 - (x * (1.0 + x)).matmul(band.t());
              },
          .roots = {row({-0.4283028635872503, -0.47659642435629024, -0.5196524636468617, -0.5580993248321809,
                         -0.5925061568294574, -0.624503682199468, -0.6232394714405911, -0.6213938417965735,
                         -0.6204535966590874, -0.5864692707204351})}};
}

}  // namespace

const std::vector<NonlinearSystem>& more_garbow_hillstrom() {
  static const std::vector<NonlinearSystem> systems{
      rosenbrock(), powell_singular(), powell_badly_scaled(), wood(), helical_valley(),
      watson({-0.015725086401458456, 1.0124348693691099, -0.2329916259567377, 1.2604300877996084,
              -1.5137289227222797, 0.9929964324311346}),
      watson({-1.5307036521394342e-05, 0.9997897039319483, 0.014763963693556958, 0.14634232829936222,
              1.0008211030047092, -2.617731140519015, 4.104403164478857, -3.1436122785564424,
              1.0526264080101668}),
      chebyquad(
          5, {row({0.08375125649950906, 0.31272929522320947, 0.5, 0.6872707047767905, 0.9162487435004909})}),
      chebyquad(6, {row({0.0668765909460897, 0.28874067311944424, 0.36668229924164764, 0.6333177007583524,
                         0.7112593268805558, 0.9331234090539103})}),
      chebyquad(7, {row({0.05806914962097548, 0.2351716123574216, 0.3380440947400462, 0.5, 0.6619559052599538,
                         0.7648283876425784, 0.9419308503790245})}),
      // Chebyshev's quadrature with equal weights has no real nodes for 8: there is no real root.
      chebyquad(8, {}),
      chebyquad(9, {row({0.044205346135782767, 0.19949067230988096, 0.23561910847106, 0.416046907892598, 0.5,
                         0.583953092107402, 0.76438089152894, 0.8005093276901191, 0.9557946538642172})}),
      brown_almost_linear(10, 0.9794303033498625), brown_almost_linear(30, 0.9977542164428105),
      discrete_boundary_value(), discrete_integral_equation(), trigonometric(), variably_dimensioned(),
      broyden_tridiagonal(), broyden_banded()};
  return systems;
}

}  // namespace stillpoint::test
