#include "linear/systems.h"

#include <utility>

#include "support/problems.h"

namespace stillpoint::test {
namespace {

Tensor identity(std::int64_t width) { return torch::eye(width, options()); }

// Matrix–vector products of the samples, seen as rows.
Map product_with(const Tensor& matrix) {
  return [matrix](const Tensor& v) {
    return torch::bmm(matrix, v.reshape({v.size(0), -1, 1})).reshape(v.sizes());
  };
}

Tensor solve_dense(const Tensor& matrix, const Tensor& b) {
  return torch::linalg_solve(matrix, b.to(torch::kDouble).reshape({b.size(0), -1, 1})).reshape(b.sizes());
}

System with_flags(System system) {
  const Tensor& m = system.matrix;
  constexpr double rounding = 1e-6;  // of a float
  const Tensor eigenvalues = torch::linalg_eigvals(identity(m.size(1)) - m);
  system.contracts = eigenvalues.abs().max().item<double>() < 0.995;
  system.definite = (m - m.transpose(1, 2)).abs().max().item<double>() < rounding &&
                    torch::linalg_eigvalsh(m).min().item<double>() > 0.0;
  return system;
}

Tensor contraction_matrices(std::int64_t batch, std::int64_t width, double radius, bool normal) {
  std::vector<Tensor> samples;
  for (std::int64_t i = 0; i < batch; ++i) samples.push_back(affine_matrix(width, radius, normal));
  return torch::stack(samples).to(options());
}

}  // namespace

Tensor norms_of(const Tensor& t) { return t.to(torch::kDouble).unsqueeze(1).flatten(1).norm(2, 1); }

Tensor System::amplification() const { return 1.0 / torch::linalg_svdvals(matrix).select(1, -1); }

Tensor System::residual(const Tensor& x) const {
  return norms_of(b.to(torch::kDouble) - product_with(matrix)(x.to(torch::kDouble)));
}

Tensor System::rounding(const Tensor& x) const {
  const double epsilon = b.scalar_type() == torch::kDouble ? 2.3e-16 : 1.2e-7;
  const Tensor size = torch::linalg_norm(matrix, "fro", torch::IntArrayRef{1, 2});
  return 2.0 * epsilon * (size * norms_of(x) + norms_of(b));
}

System dense_system(std::string name, const Tensor& matrix, const Tensor& b, torch::Dtype dtype,
                    bool identity_minus) {
  // What is handed to the solver is what is solved for: rounded first.
  const Tensor p = (identity_minus ? identity(matrix.size(1)) - matrix : matrix).to(dtype);
  const Tensor exact = p.to(torch::kDouble);
  System system;
  system.name = std::move(name);
  system.a.product = product_with(p);
  system.a.identity_minus = identity_minus;
  system.b = b.to(dtype);
  system.matrix = identity_minus ? identity(matrix.size(1)) - exact : exact;
  system.solution = solve_dense(system.matrix, system.b);
  return with_flags(std::move(system));
}

System contraction(double radius, bool normal, torch::Dtype dtype) {
  constexpr std::int64_t batch = 3, width = 8;
  return dense_system((normal ? "normal, radius " : "not normal, radius ") + std::to_string(radius),
                      identity(width) - contraction_matrices(batch, width, radius, normal),
                      test::normal({batch, width}), dtype, /*identity_minus=*/true);
}

System definite(torch::Dtype dtype) {
  constexpr std::int64_t batch = 3, width = 10;
  const Tensor q = std::get<0>(torch::linalg_qr(normal({batch, width, width})));
  const Tensor values = torch::logspace(-1, 1, width, 10.0, options());
  const Tensor matrix = q.matmul(values.unsqueeze(1) * q.transpose(1, 2));
  System system =
      dense_system("definite", 0.5 * (matrix + matrix.transpose(1, 2)), normal({batch, width}), dtype);
  system.a.structure = Structure::PositiveDefinite;
  return system;
}

System grcar(torch::Dtype dtype) {
  constexpr std::int64_t batch = 2, width = 12;
  const Tensor ones = torch::ones({width, width}, options());
  const Tensor matrix = ones.triu() - ones.triu(4) - (ones.tril(-1) - ones.tril(-2));
  return dense_system("Grcar", matrix.expand({batch, width, width}), normal({batch, width}), dtype);
}

System badly_scaled_rows(torch::Dtype dtype) {
  constexpr std::int64_t batch = 3, width = 7;
  const Tensor scale = torch::logspace(-3, 3, width, 10.0, options()).unsqueeze(1);
  const Tensor matrix = scale * (2.0 * identity(width) + 0.2 * normal({batch, width, width}));
  const Tensor b = matrix.matmul(normal({batch, width, 1})).squeeze(2);
  return dense_system("badly scaled rows", matrix, b, dtype);
}

System samples_of_all_sizes(torch::Dtype dtype) {
  constexpr std::int64_t batch = 5, width = 6;
  const Tensor scale = torch::logspace(-8, 8, batch, 10.0, options()).unsqueeze(1);
  return dense_system("samples of all sizes", identity(width) - contraction_matrices(batch, width, 0.5, true),
                      scale * normal({batch, width}), dtype, /*identity_minus=*/true);
}

System images(torch::Dtype dtype) {
  const std::vector<std::int64_t> shape{2, 2, 3, 4};
  constexpr std::int64_t width = 2 * 3 * 4;
  const Tensor kernel = 0.08 * normal({2, 2, 3, 3}, dtype);
  const auto conv = [](const Tensor& z, const Tensor& k) {
    return torch::conv2d(z, k, /*bias=*/{}, /*stride=*/1, /*padding=*/1);
  };
  // A batch of unit vectors gives the columns.
  const Tensor units = identity(width).reshape({width, 2, 3, 4});
  const Tensor columns = units - conv(units, kernel.to(torch::kDouble));
  const Tensor matrix = columns.reshape({width, width}).t();
  System system = dense_system("images", matrix.expand({2, width, width}), normal(shape), dtype,
                               /*identity_minus=*/true);
  system.a.product = [=](const Tensor& z) { return conv(z, kernel); };
  return system;
}

std::vector<System> known_systems(torch::Dtype dtype) {
  std::vector<System> systems{definite(dtype), grcar(dtype), badly_scaled_rows(dtype),
                              samples_of_all_sizes(dtype), images(dtype)};
  for (const double radius : {0.5, 0.9, 0.99}) {
    for (const bool normal : {true, false}) systems.push_back(contraction(radius, normal, dtype));
  }
  const Tensor single = vector({2.0, 0.5, -3.0, 1.0}).reshape({4, 1, 1});
  systems.push_back(dense_system("width 1", single, normal({4, 1}), dtype));
  systems.push_back(dense_system("width 1, no second dimension", single, normal({4}), dtype));
  const Tensor one = identity(6) - contraction_matrices(1, 6, 0.7, true);
  systems.push_back(dense_system("batch 1", one, normal({1, 6}), dtype, /*identity_minus=*/true));
  const Tensor three = identity(6) - contraction_matrices(3, 6, 0.7, true);
  const Tensor second_is_zero = normal({3, 6}) * vector({1.0, 0.0, 1.0}).unsqueeze(1);
  systems.push_back(dense_system("one zero", three, second_is_zero, dtype, /*identity_minus=*/true));
  systems.push_back(dense_system("all zero", three, zeros({3, 6}), dtype, /*identity_minus=*/true));
  return systems;
}

}  // namespace stillpoint::test
