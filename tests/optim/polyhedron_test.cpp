// Polyhedra: known points and derivatives, agreement with the projections that have a formula, and what is
// reported where there is no point.
#include <gtest/gtest.h>

#include <limits>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::Polyhedron;
using optim::ProgramStatus;

// A triangle with the corners (0, 0), (2, 0) and (0, 1).
Polyhedron triangle() {
  return {.G = torch::tensor({{-1.0, 0.0}, {0.0, -1.0}, {1.0, 2.0}}, options()), .h = vector({0, 0, 2})};
}

TEST(ProjectPolyhedron, HasItsExactValuesAndDerivatives) {
  // Inside, before the long side, before an axis, before a corner.
  const Tensor y = torch::tensor({{.5, .25}, {2.0, 2.0}, {1.0, -3.0}, {5.0, .1}}, options());
  const auto [x, stats] = optim::project_polyhedron(y, triangle());
  EXPECT_TRUE(stats.optimal()) << stats.full();
  const Tensor expected = torch::tensor({{.5, .25}, {1.2, .4}, {1.0, 0.0}, {2.0, 0.0}}, options());
  EXPECT_TRUE(close(x, expected, 1e-15));
  const auto project = [](const Tensor& t) { return optim::project_polyhedron(t, triangle()).x; };
  const std::vector<Tensor> slopes = {torch::eye(2, options()),
                                      torch::tensor({{.8, -.4}, {-.4, .2}}, options()),
                                      torch::tensor({{1.0, 0.0}, {0.0, 0.0}}, options()), zeros({2, 2})};
  for (std::int64_t i = 0; i < 4; ++i)
    EXPECT_TRUE(close(jacobian(project, y.narrow(0, i, 1)), slopes[i], 1e-15)) << i;
}

// The long side moves its points along its normal; the corner is where two sides meet, x₂ = −h₁ and x₁ = h₂ +
// 2 h₁.
TEST(ProjectPolyhedron, MovesWithItsSides) {
  const Tensor y = torch::tensor({{2.0, 2.0}, {5.0, .1}}, options());
  Polyhedron set = triangle();
  const auto project = [&](const Tensor& h) {
    set.h = h;
    return optim::project_polyhedron(y, set).x;
  };
  const Tensor expected =
      torch::tensor({{0.0, 0.0, .2}, {0.0, 0.0, .4}, {0.0, 2.0, 1.0}, {0.0, -1.0, 0.0}}, options());
  EXPECT_TRUE(close(jacobian(project, vector({0, 0, 2})), expected, 1e-14));
}

TEST(ProjectPolyhedron, AgreesWithProjectionsThatHaveAFormula) {
  torch::manual_seed(8);
  const Tensor y = 2 * normal({16, 7});
  const Tensor weight = normal({16, 7});
  const auto same = [&](const std::function<Tensor(const Tensor&)>& formula, const Polyhedron& set) {
    const Tensor a = y.clone().requires_grad_();
    const Tensor b = y.clone().requires_grad_();
    const Tensor expected = formula(a);
    const Tensor x = optim::project_polyhedron(b, set).x;
    EXPECT_TRUE(close(x, expected, 1e-14));
    EXPECT_TRUE(close(gradients((weight * x.pow(3)).sum(), {b})[0],
                      gradients((weight * expected.pow(3)).sum(), {a})[0], 1e-12));
  };
  same([](const Tensor& t) { return optim::project_simplex(t); },
       {.A = torch::ones({1, 7}, options()), .b = vector({1}), .lower = zeros({7})});
  same([](const Tensor& t) { return optim::project_box(t, zeros({7}), zeros({7}) + kInfinity); },
       {.lower = zeros({7})});
  // The cone of rising sequences.
  const Tensor rises = torch::eye(6, 7, options()) - torch::eye(7, options()).narrow(0, 1, 6);
  same([](const Tensor& t) { return optim::isotonic_regression(t); }, {.G = rises, .h = zeros({6})});
  same([](const Tensor& t) { return t.clone(); }, {});
}

TEST(ProjectPolyhedron, ReportsPerSampleWhereThereIsNoPoint) {
  Tensor h = vector({0, 0, 2}).expand({3, 3}).clone();
  h[1] = vector({-3, 0, 2});  // x₁ ≥ 3 and x₁ ≤ 2
  Tensor y = torch::tensor({{2.0, 2.0}, {0.0, 0.0}, {1.0, 1.0}}, options());
  y[2][0] = std::numeric_limits<double>::quiet_NaN();
  y.requires_grad_();
  const auto solved =
      optim::project_polyhedron(y, {.G = triangle().G, .h = h}, {.on_failure = OnFailure::Ignore});
  EXPECT_EQ(solved.stats.status,
            (std::vector{ProgramStatus::Optimal, ProgramStatus::Infeasible, ProgramStatus::NotFinite}));
  EXPECT_TRUE(close(solved.x[0], vector({1.2, .4}), 1e-15));
  EXPECT_TRUE(solved.x.narrow(0, 1, 2).isnan().all().item<bool>());
  EXPECT_NEAR((solved.certificate.z[1] * h[1]).sum().item<double>(), -1.0, 1e-12);
  const Tensor gradient = gradients(solved.x[0].sum(), {y})[0];
  EXPECT_TRUE(close(gradient[0], vector({.4, -.2}), 1e-14));
}

TEST(ProjectPolyhedron, SaysWhereADerivativeHasSides) {
  // The second point lies on the long side itself.
  const Tensor y = torch::tensor({{.5, .25}, {1.0, .5}}, options());
  const auto [x, stats] = optim::project_polyhedron(y, triangle());
  EXPECT_EQ(stats.weakly_active, (Mask{0, 1}));
  EXPECT_TRUE(close(x, y, 1e-15));
}

TEST(ProjectPolyhedron, NamesThePartThatDoesNotFit) {
  const Tensor y = normal({3, 2});
  expect_error([&] { optim::project_polyhedron(y, {.G = normal({2, 3}), .h = zeros({2})}); }, "G: expected");
  expect_error([&] { optim::project_polyhedron(y, {.G = normal({2, 2})}); }, "h: expected it with G");
  expect_error(
      [&] {
        optim::project_polyhedron(y, {.lower = zeros({4, 2})});
      },
      "lower: expected the batch of 3");
  expect_error([&] { optim::project_polyhedron(vector({1, 2}), triangle()); }, "y: expected 2 dimensions");
}

}  // namespace
}  // namespace stillpoint::test
