#include "support/problems.h"

#include <cmath>

namespace stillpoint::test {
namespace {

Tensor random_orthogonal(std::int64_t width) {
  return std::get<0>(torch::linalg_qr(torch::randn({width, width}, torch::kDouble)));
}

double largest_singular_value(const Tensor& matrix) {
  return torch::linalg_svdvals(matrix).max().item<double>();
}

// ‖(I − J)⁻¹‖ for a constant Jacobian.
double amplification_of(const Tensor& jacobian) {
  return largest_singular_value(torch::inverse(torch::eye(jacobian.size(0), torch::kDouble) - jacobian));
}

// From −radius to radius, ends included.
Tensor spread(std::int64_t width, double radius) {
  return width == 1 ? torch::full({1}, radius, torch::kDouble)
                    : torch::linspace(-radius, radius, width, torch::kDouble);
}

}  // namespace

Problem cosine(torch::Dtype dtype) {
  return {.name = "cosine",
          .f = [](const Tensor& z) { return torch::cos(z); },
          .z0 = vector({0.0, 1.0, 2.0, -3.0}, dtype).unsqueeze(1),
          .solution = torch::full({4, 1}, 0.739085133215160641, options(dtype)),
          .contracts = true,
          .amplification = 1.0};
}

Problem shifted_cosine(torch::Dtype dtype) {
  return {.name = "shifted cosine",
          .f = [](const Tensor& z) { return torch::cos(z) + M_PI / 2.0; },
          .z0 = vector({M_PI / 4.0, 1.0, 2.0}, dtype).unsqueeze(1),
          .solution = torch::full({3, 1}, M_PI / 2.0, options(dtype)),
          .contracts = false,
          .amplification = 0.6};
}

Problem slow_diagonal(torch::Dtype dtype) {
  const Tensor diagonal = vector({0.9, 0.99, 0.999}, dtype);
  return {.name = "slow diagonal",
          .f = [diagonal](const Tensor& z) { return diagonal * z; },
          .z0 = vector({1.0, 0.4, -0.2}, dtype).unsqueeze(0),
          .solution = zeros({1, 3}, dtype),
          .contracts = true,
          .amplification = 1000.0};
}

Problem rotations(torch::Dtype dtype) {
  const Tensor angle = M_PI / torch::arange(2, 7, torch::kDouble);
  const auto columns = torch::stack({angle.cos(), -angle.sin(), angle.sin(), angle.cos()}, 1);
  const Tensor rotation = columns.reshape({5, 2, 2}).to(options(dtype));
  const Tensor center = vector({1.0, -0.5}, dtype).unsqueeze(0);
  return {.name = "rotations",
          .f =
              [=](const Tensor& z) {
                return center + torch::bmm(rotation, (z - center).unsqueeze(2)).squeeze(2);
              },
          .z0 = zeros({5, 2}, dtype),
          .solution = center.expand({5, 2}),
          .contracts = false,
          .amplification = 1.0 / (2.0 * std::sin(M_PI / 12.0))};
}

Problem scaling(torch::Dtype dtype) {
  const Tensor theta = vector({0.05, 0.2}, dtype);
  return {.name = "scaling",
          .f = [theta](const Tensor& z) { return theta * z; },
          .z0 = torch::ones({1, 2}, options(dtype)),
          .solution = zeros({1, 2}, dtype),
          .contracts = true,
          .amplification = 1.25};
}

Problem kepler(torch::Dtype dtype) {
  const Tensor e = vector({0.1, 0.3, 0.5, 0.7}, dtype).unsqueeze(1);
  const Tensor solution = vector({0.1, 1.0, 2.0, 3.0}, dtype).unsqueeze(1);
  const Tensor mean = solution - e * solution.sin();
  return {.name = "Kepler",
          .f = [=](const Tensor& z) { return mean + e * torch::sin(z); },
          .z0 = mean.clone(),
          .solution = solution,
          .contracts = true,
          .amplification = 2.0};
}

Problem heron(torch::Dtype dtype) {
  const Tensor a = vector({2.0, 3.0, 10.0}, dtype).unsqueeze(1);
  return {.name = "Heron",
          .f = [=](const Tensor& z) { return 0.5 * (z + a / z); },
          .z0 = torch::ones({3, 1}, options(dtype)),
          .solution = vector({std::sqrt(2.0), std::sqrt(3.0), std::sqrt(10.0)}, dtype).unsqueeze(1),
          .contracts = true,
          .amplification = 1.01};
}

Problem affine(double radius, bool normal, torch::Dtype dtype) {
  constexpr std::int64_t width = 10, batch = 3;
  const Tensor a = affine_matrix(width, radius, normal);
  const Tensor b = torch::randn({batch, width}, torch::kDouble);
  const Tensor inverse = torch::inverse(torch::eye(width, torch::kDouble) - a);
  const Tensor matrix = a.t().to(options(dtype)), offset = b.to(options(dtype));
  return {
      .name = (normal ? "affine, normal, radius " : "affine, not normal, radius ") + std::to_string(radius),
      .f = [=](const Tensor& z) { return torch::addmm(offset, z, matrix); },
      .z0 = zeros({batch, width}, dtype),
      .solution = b.matmul(inverse.t()).to(options(dtype)),
      .contracts = true,
      .amplification = amplification_of(a)};
}

Problem tanh_layer(torch::Dtype dtype) {
  torch::nn::Linear linear(50, 50);
  const Tensor weight = linear->weight.detach().to(torch::kDouble).t(), bias = linear->bias.detach();
  const Tensor x = torch::randn({10, 50}, torch::kDouble) + bias;
  Tensor z = torch::zeros_like(x);
  for (int i = 0; i < 400; ++i) z = torch::tanh(torch::addmm(x, z, weight));
  const Tensor w = weight.to(options(dtype)), input = x.to(options(dtype));
  return {.name = "tanh layer",
          .f = [=](const Tensor& y) { return torch::tanh(torch::addmm(input, y, w)); },
          .z0 = zeros({10, 50}, dtype),
          .solution = z.to(options(dtype)),
          .contracts = true,
          .amplification = 4.0};
}

std::vector<Problem> known_problems(torch::Dtype dtype) {
  std::vector<Problem> problems{cosine(dtype),    shifted_cosine(dtype), slow_diagonal(dtype),
                                rotations(dtype), scaling(dtype),        kepler(dtype),
                                heron(dtype),     tanh_layer(dtype)};
  for (const double radius : {0.5, 0.9, 0.99}) {
    for (const bool normal : {true, false}) problems.push_back(affine(radius, normal, dtype));
  }
  return problems;
}

Tensor affine_matrix(std::int64_t width, double radius, bool normal) {
  const Tensor q = random_orthogonal(width);
  Tensor inner = torch::diag(spread(width, radius));
  if (!normal) inner = inner + torch::randn({width, width}, torch::kDouble).triu(1) * (radius / width);
  return q.matmul(inner).matmul(q.t());
}

Tensor contraction_matrix(std::int64_t width, double norm, bool normal) {
  if (normal) return affine_matrix(width, norm, true);
  const Tensor a = torch::randn({width, width}, torch::kDouble);
  return a * (norm / largest_singular_value(a));
}

}  // namespace stillpoint::test
