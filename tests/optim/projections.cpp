#include "optim/projections.h"

#include <limits>

#include "stillpoint/stillpoint.h"

namespace stillpoint::test {
namespace {

using Tensors = std::vector<Tensor>;

Tensor row_sum(const Tensor& t) { return t.flatten(1).sum(1); }
Tensor column(const Tensor& t) { return t.reshape({-1, 1}); }

Projection simplex() {
  return {"Simplex",
          [](const Tensors& in) { return optim::project_simplex(in[0], in[1]); },
          {per_sample(normal({4, 6})), per_sample(vector({1.0, .7, 2.3, 4.0}))},
          [](const Tensors& in, const Tensor& z) { return column(in[1]) * torch::softmax(z, 1); },
          [](const Tensors& in, const Tensor& x) {
            return row_sum((-x).clamp_min(0)) + (row_sum(x) - in[1]).abs();
          }};
}

Projection capped_simplex() {
  return {"CappedSimplex",
          [](const Tensors& in) { return optim::project_capped_simplex(in[0], in[1]); },
          {per_sample(normal({4, 6})), per_sample(vector({2.2, 1.7, 3.4, 4.9}))},
          [](const Tensors& in, const Tensor& z) {
            // Between the mean k / n and a bound.
            const Tensor mean = column(in[1]) / static_cast<double>(z.size(1));
            const Tensor centered = z - z.mean(1, true);
            const Tensor room = torch::minimum(mean, 1 - mean) / centered.abs().amax(1, true);
            return mean + room * centered;
          },
          [](const Tensors& in, const Tensor& x) {
            return row_sum((-x).clamp_min(0)) + row_sum((x - 1).clamp_min(0)) + (row_sum(x) - in[1]).abs();
          }};
}

Projection box() {
  return {"Box",
          [](const Tensors& in) { return optim::project_box(in[0], in[1], in[2]); },
          {per_sample(normal({4, 6})), shared(vector({-1.0, -.5, 0.0, .2, -.1, -3.0})),
           per_sample(normal({4, 6}).abs() + .3)},
          [](const Tensors& in, const Tensor& z) { return in[1] + (in[2] - in[1]) * torch::sigmoid(z); },
          [](const Tensors& in, const Tensor& x) {
            return row_sum((in[1] - x).clamp_min(0)) + row_sum((x - in[2]).clamp_min(0));
          }};
}

// A ball by its norm, which has members inside and on its boundary.
Projection ball(std::string name, Tensor (*project)(const Tensor&, const optim::RowNumber&), double power) {
  return {std::move(name),
          [project](const Tensors& in) { return project(in[0], in[1]); },
          {per_sample(normal({4, 5})), per_sample(vector({1.0, .6, 1.7, 30.0}))},
          [power](const Tensors& in, const Tensor& z) {
            const Tensor norm = z.norm(power, {1}, true);
            return column(in[1]) * z / norm.clamp_min(1);
          },
          [power](const Tensors& in, const Tensor& x) {
            return (x.norm(power, {1}, false) - in[1]).clamp_min(0);
          }};
}

Projection half_space() {
  return {"HalfSpace",
          [](const Tensors& in) { return optim::project_half_space(in[0], in[1], in[2]); },
          {per_sample(normal({4, 5})), per_sample(normal({4, 5})), per_sample(vector({-1.0, 0.0, .3, 50.0}))},
          [](const Tensors& in, const Tensor& z) {
            const Tensor move = column(in[2] - row_sum(in[1] * z)) - column(row_sum(z)).abs();
            return z + in[1] * move / column(row_sum(in[1].square()));
          },
          [](const Tensors& in, const Tensor& x) { return (row_sum(in[1] * x) - in[2]).clamp_min(0); }};
}

Projection affine_set(const std::string& name, const Input& matrix) {
  const auto product = [](const Tensor& A, const Tensor& x) {
    return torch::matmul(A, x.unsqueeze(-1)).squeeze(-1);
  };
  return {
      name,
      [](const Tensors& in) { return optim::project_affine_set(in[0], in[1], in[2]); },
      {per_sample(normal({4, 5})), matrix, per_sample(normal({4, 2}))},
      [product](const Tensors& in, const Tensor& z) {
        const Tensor gram = torch::matmul(in[1], in[1].transpose(-1, -2));
        const Tensor move = product(torch::linalg_inv(gram), in[2] - product(in[1], z));
        return z + product(in[1].transpose(-1, -2), move);
      },
      [product](const Tensors& in, const Tensor& x) { return row_sum((product(in[1], x) - in[2]).abs()); }};
}

Projection second_order_cone() {
  return {"SecondOrderCone",
          [](const Tensors& in) { return optim::project_second_order_cone(in[0]); },
          {per_sample(torch::tensor(
              {{1.0, 3.0, 4.0, -.5}, {-.7, .6, 1.1, 2.0}, {-4.0, 1.0, 1.0, 1.0}, {5.0, 1.0, 2.0, .3}},
              options()))},
          [](const Tensors&, const Tensor& z) {
            const Tensor side = z.narrow(1, 1, 3);
            return torch::cat({side.norm(2, {1}, true) + z.narrow(1, 0, 1).clamp_min(0), side}, 1);
          },
          [](const Tensors&, const Tensor& x) {
            return (x.narrow(1, 1, 3).norm(2, {1}, false) - x.select(1, 0)).clamp_min(0);
          }};
}

Projection semidefinite_cone() {
  // Beside random ones a matrix with three eigenvalues 1, and one with pairs of 2 and of −1.
  const Tensor basis = std::get<0>(torch::linalg_qr(normal({4, 4})));
  const auto with = [&](const std::vector<double>& values) {
    return torch::matmul(basis * vector(values), basis.t()).unsqueeze(0);
  };
  return {"SemidefiniteCone",
          [](const Tensors& in) { return optim::project_semidefinite_cone(in[0]); },
          {per_sample(torch::cat({normal({2, 4, 4}), with({1, 1, 1, -2}), with({2, 2, -1, -1})}))},
          [](const Tensors&, const Tensor& z) { return torch::matmul(z, z.transpose(1, 2)); },
          [](const Tensors&, const Tensor& x) {
            return row_sum((-std::get<0>(torch::linalg_eigh(x))).clamp_min(0)) +
                   row_sum((x - x.transpose(1, 2)).abs());
          }};
}

Projection soft_top_k() {
  return {"SoftTopK",
          [](const Tensors& in) { return optim::soft_top_k(in[0], in[1], in[2]); },
          {per_sample(normal({4, 6})), per_sample(vector({2.0, 1.7, 3.0, 4.9})),
           per_sample(vector({.5, 1.0, .3, 2.0}))}};
}

Projection isotonic_regression() {
  return {"IsotonicRegression",
          [](const Tensors& in) { return optim::isotonic_regression(in[0]); },
          {per_sample(normal({4, 7}))},
          [](const Tensors&, const Tensor& z) { return std::get<0>(torch::sort(z, 1)); },
          [](const Tensors&, const Tensor& x) { return row_sum((-x.diff(1, 1)).clamp_min(0)); }};
}

Projection weighted_isotonic_regression() {
  return {"WeightedIsotonicRegression",
          [](const Tensors& in) { return optim::isotonic_regression(in[0], in[1]); },
          {per_sample(normal({4, 7})), per_sample(normal({4, 7}).abs() + .2)}};
}

Projection soft_sort() {
  return {"SoftSort",
          [](const Tensors& in) { return optim::soft_sort(in[0], in[1]); },
          {per_sample(normal({4, 6})), per_sample(vector({.3, 1.0, 2.0, 9.0}))}};
}

Projection soft_rank() {
  return {"SoftRank",
          [](const Tensors& in) { return optim::soft_rank(in[0], in[1]); },
          {per_sample(normal({4, 6})), per_sample(vector({.05, .3, 1.0, 4.0}))}};
}

Projection sinkhorn() {
  return {"Sinkhorn",
          [](const Tensors& in) {
            FixedPointOptions options{.max_iterations = 2000, .on_failure = OnFailure::Ignore};
            if (in[0].scalar_type() == torch::kDouble)
              options.tolerance = {.relative = 1e-14, .absolute = 1e-14};
            const Tensor a = torch::softmax(in[1], 1);
            const Tensor b = torch::softmax(in[2], 1);
            return optim::sinkhorn(in[0], a, b, in[3], options).plan;
          },
          {per_sample(normal({4, 3, 5})), per_sample(normal({4, 3})), per_sample(normal({4, 5})),
           per_sample(vector({.5, 1.0, 2.0, .8}))}};
}

Projection total_variation() {
  return {"TotalVariation",
          [](const Tensors& in) { return optim::total_variation(in[0], in[1]).value; },
          {per_sample(normal({4, 8})), per_sample(vector({.1, .5, 1.0, 50.0}))}};
}

Projection fused_lasso() {
  return {"FusedLasso",
          [](const Tensors& in) { return optim::fused_lasso(in[0], in[1], in[2]).value; },
          {per_sample(normal({4, 8})), per_sample(vector({.1, .3, .5, 1.0})),
           per_sample(vector({.1, .2, .3, .05}))}};
}

}  // namespace

std::vector<Tensor> Projection::values(torch::Dtype dtype) const {
  std::vector<Tensor> result;
  for (const Input& input : inputs) result.push_back(input.value.to(dtype));
  return result;
}

std::vector<Tensor> Projection::rows(std::int64_t first, std::int64_t count) const {
  std::vector<Tensor> result;
  for (const Input& in : inputs)
    result.push_back(in.per_sample ? in.value.narrow(0, first, count) : in.value);
  return result;
}

std::vector<Projection> projections() {
  torch::manual_seed(11);
  return {simplex(),
          capped_simplex(),
          box(),
          ball("L1Ball", &optim::project_l1_ball, 1),
          ball("L2Ball", &optim::project_l2_ball, 2),
          ball("LinfBall", &optim::project_linf_ball, std::numeric_limits<double>::infinity()),
          half_space(),
          affine_set("AffineSet", per_sample(normal({4, 2, 5}))),
          affine_set("AffineSetShared", shared(normal({2, 5}))),
          second_order_cone(),
          semidefinite_cone(),
          soft_top_k(),
          isotonic_regression(),
          weighted_isotonic_regression(),
          soft_sort(),
          soft_rank(),
          sinkhorn(),
          total_variation(),
          fused_lasso()};
}

}  // namespace stillpoint::test
