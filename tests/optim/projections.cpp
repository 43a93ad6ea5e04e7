#include "optim/projections.h"

#include <limits>

#include "stillpoint/stillpoint.h"

namespace stillpoint::test {
namespace {

using Tensors = std::vector<Tensor>;

Tensor row_sum(const Tensor& t) { return t.flatten(1).sum(1); }
Tensor column(const Tensor& t) { return t.reshape({-1, 1}); }

Projection simplex() {
  torch::manual_seed(11);
  return {"Simplex",
          [](const Tensors& in) { return optim::project_simplex(in[0], in[1]); },
          {per_sample(normal({4, 6})), per_sample(vector({1.0, .7, 2.3, 4.0}))},
          [](const Tensors& in, const Tensor& z) { return column(in[1]) * torch::softmax(z, 1); },
          [](const Tensors& in, const Tensor& x) {
            return row_sum((-x).clamp_min(0)) + (row_sum(x) - in[1]).abs();
          }};
}

Projection capped_simplex() {
  torch::manual_seed(12);
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
  torch::manual_seed(13);
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
  torch::manual_seed(31);
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
  torch::manual_seed(14);
  return {"HalfSpace",
          [](const Tensors& in) { return optim::project_half_space(in[0], in[1], in[2]); },
          {per_sample(normal({4, 5})), per_sample(normal({4, 5})), per_sample(vector({-1.0, 0.0, .3, 50.0}))},
          [](const Tensors& in, const Tensor& z) {
            const Tensor move = column(in[2] - row_sum(in[1] * z)) - column(row_sum(z)).abs();
            return z + in[1] * move / column(row_sum(in[1].square()));
          },
          [](const Tensors& in, const Tensor& x) { return (row_sum(in[1] * x) - in[2]).clamp_min(0); }};
}

Projection affine_set(bool shares_matrix) {
  torch::manual_seed(15);
  const auto product = [](const Tensor& A, const Tensor& x) {
    return torch::matmul(A, x.unsqueeze(-1)).squeeze(-1);
  };
  // Near rows of the identity, so that its derivatives are of size 1.
  const Tensor matrix = torch::eye(2, 5, options()) + .3 * normal({4, 2, 5});
  return {
      shares_matrix ? "AffineSetShared" : "AffineSet",
      [](const Tensors& in) { return optim::project_affine_set(in[0], in[1], in[2]); },
      {per_sample(normal({4, 5})), shares_matrix ? shared(matrix[0]) : per_sample(matrix),
       per_sample(normal({4, 2}))},
      [product](const Tensors& in, const Tensor& z) {
        const Tensor gram = torch::matmul(in[1], in[1].transpose(-1, -2));
        const Tensor move = product(torch::linalg_inv(gram), in[2] - product(in[1], z));
        return z + product(in[1].transpose(-1, -2), move);
      },
      [product](const Tensors& in, const Tensor& x) { return row_sum((product(in[1], x) - in[2]).abs()); }};
}

// A member for each sample: from an inner point along what A does not see, as far as there is room.
Tensor within(const optim::Polyhedron& set, const Tensor& inner, const Tensor& z) {
  const auto product = [](const Tensor& M, const Tensor& x) {
    return torch::matmul(M, x.unsqueeze(-1)).squeeze(-1);
  };
  Tensor toward = z;
  if (set.A.defined()) {
    const Tensor gram = torch::linalg_inv(torch::matmul(set.A, set.A.transpose(-1, -2)));
    toward = z - product(set.A.transpose(-1, -2), product(gram, product(set.A, z)));
  }
  Tensor room = (set.h - product(set.G, inner)) / product(set.G, toward).clamp_min(1e-9);
  if (set.lower.defined()) {
    const Tensor below = (inner - set.lower) / (-toward).clamp_min(1e-9);
    const Tensor above = (set.upper - inner) / toward.clamp_min(1e-9);
    room = torch::cat({room, torch::minimum(below, above)}, 1);
  }
  return inner + room.amin(1, true).clamp_max(1) * toward;
}

Tensor outside(const optim::Polyhedron& set, const Tensor& x) {
  const auto product = [&](const Tensor& M) { return torch::matmul(M, x.unsqueeze(-1)).squeeze(-1); };
  Tensor sum = row_sum((product(set.G) - set.h).clamp_min(0));
  if (set.A.defined()) sum = sum + row_sum((product(set.A) - set.b).abs());
  if (set.lower.defined())
    sum = sum + row_sum((set.lower - x).clamp_min(0)) + row_sum((x - set.upper).clamp_min(0));
  return sum;
}

Projection polyhedron() {
  torch::manual_seed(27);
  const Tensor inner = .2 * normal({4, 5});
  const Tensor G = torch::eye(3, 5, options()) + .3 * normal({4, 3, 5});
  const Tensor A = torch::eye(1, 5, options()) + .3 * normal({4, 1, 5});
  const auto product = [&](const Tensor& M) { return torch::matmul(M, inner.unsqueeze(-1)).squeeze(-1); };
  const auto set = [](const Tensors& in) {
    return optim::Polyhedron{in[1], in[2], in[3], in[4], in[5], in[6]};
  };
  return {"Polyhedron",
          [set](const Tensors& in) { return optim::project_polyhedron(in[0], set(in)).x; },
          {per_sample(2 * normal({4, 5})), per_sample(G), per_sample(product(G) + .1 + normal({4, 3}).abs()),
           per_sample(A), per_sample(product(A)), per_sample(inner - .1 - normal({4, 5}).abs()),
           per_sample(inner + .1 + normal({4, 5}).abs())},
          [set, inner](const Tensors& in, const Tensor& z) { return within(set(in), inner, z); },
          [set](const Tensors& in, const Tensor& x) { return outside(set(in), x); }};
}

Projection shared_polyhedron() {
  torch::manual_seed(28);
  const auto set = [](const Tensors& in) { return optim::Polyhedron{.G = in[1], .h = in[2]}; };
  return {"PolyhedronShared",
          [set](const Tensors& in) { return optim::project_polyhedron(in[0], set(in)).x; },
          {per_sample(2 * normal({4, 4})), shared(torch::eye(3, 4, options()) + .3 * normal({3, 4})),
           shared(vector({.3, .1, 1.0}))},
          [set](const Tensors& in, const Tensor& z) { return within(set(in), torch::zeros_like(z), z); },
          [set](const Tensors& in, const Tensor& x) { return outside(set(in), x); }};
}

Projection second_order_cone() {
  torch::manual_seed(16);
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
  torch::manual_seed(17);
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
  torch::manual_seed(18);
  return {"SoftTopK",
          [](const Tensors& in) { return optim::soft_top_k(in[0], in[1], in[2]); },
          {per_sample(normal({4, 6})), per_sample(vector({2.0, 1.7, 3.0, 4.9})),
           per_sample(vector({.5, 1.0, .3, 2.0}))}};
}

Projection birkhoff_polytope() {
  torch::manual_seed(19);
  return {"BirkhoffPolytope",
          [](const Tensors& in) { return optim::project_birkhoff_polytope(in[0]).value; },
          {per_sample(.4 * normal({4, 5, 5}) + .1)},
          [](const Tensors&, const Tensor& z) {
            // A permutation of a mean of cyclic shifts.
            const Tensor weights = torch::softmax(z.select(1, 0), 1);
            std::vector<Tensor> rows;
            for (std::int64_t i = 0; i < z.size(1); ++i) rows.push_back(weights.roll(i, 1));
            const Tensor order = z.select(1, 1).argsort(std::int64_t{1});
            return torch::stack(rows, 1).gather(1, order.unsqueeze(2).expand_as(z));
          },
          [](const Tensors&, const Tensor& x) {
            return row_sum((-x).clamp_min(0)) + (x.sum(1) - 1).abs().sum(1) + (x.sum(2) - 1).abs().sum(1);
          }};
}

Projection isotonic_regression() {
  torch::manual_seed(20);
  return {"IsotonicRegression",
          [](const Tensors& in) { return optim::isotonic_regression(in[0]); },
          {per_sample(normal({4, 7}))},
          [](const Tensors&, const Tensor& z) { return std::get<0>(torch::sort(z, 1)); },
          [](const Tensors&, const Tensor& x) { return row_sum((-x.diff(1, 1)).clamp_min(0)); }};
}

Projection weighted_isotonic_regression() {
  torch::manual_seed(21);
  return {"WeightedIsotonicRegression",
          [](const Tensors& in) { return optim::isotonic_regression(in[0], in[1]); },
          {per_sample(normal({4, 7})), per_sample(normal({4, 7}).abs() + .2)}};
}

Projection soft_sort() {
  torch::manual_seed(22);
  return {"SoftSort",
          [](const Tensors& in) { return optim::soft_sort(in[0], in[1]); },
          {per_sample(normal({4, 6})), per_sample(vector({.3, 1.0, 2.0, 9.0}))}};
}

Projection soft_rank() {
  torch::manual_seed(23);
  return {"SoftRank",
          [](const Tensors& in) { return optim::soft_rank(in[0], in[1]); },
          {per_sample(normal({4, 6})), per_sample(vector({.05, .3, 1.0, 4.0}))}};
}

Projection sinkhorn() {
  torch::manual_seed(24);
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
  torch::manual_seed(25);
  return {"TotalVariation",
          [](const Tensors& in) { return optim::total_variation(in[0], in[1]).value; },
          {per_sample(normal({4, 8})), per_sample(vector({.1, .5, 1.0, 50.0}))}};
}

Projection total_variation_2d() {
  torch::manual_seed(29);
  return {"TotalVariation2d",
          [](const Tensors& in) { return optim::total_variation_2d(in[0], in[1]).value; },
          {per_sample(normal({4, 3, 4})), per_sample(vector({.1, .3, .6, 50.0}))}};
}

Projection fused_lasso() {
  torch::manual_seed(26);
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
  return {simplex(),
          capped_simplex(),
          box(),
          ball("L1Ball", &optim::project_l1_ball, 1),
          ball("L2Ball", &optim::project_l2_ball, 2),
          ball("LinfBall", &optim::project_linf_ball, std::numeric_limits<double>::infinity()),
          half_space(),
          affine_set(/*shares_matrix=*/false),
          affine_set(/*shares_matrix=*/true),
          polyhedron(),
          shared_polyhedron(),
          second_order_cone(),
          semidefinite_cone(),
          soft_top_k(),
          birkhoff_polytope(),
          isotonic_regression(),
          weighted_isotonic_regression(),
          soft_sort(),
          soft_rank(),
          sinkhorn(),
          total_variation(),
          total_variation_2d(),
          fused_lasso()};
}

}  // namespace stillpoint::test
