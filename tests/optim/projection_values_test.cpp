// Projections with known results, and what happens where a set is empty or a derivative has sides.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/rows.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

TEST(ProjectSimplex, HasItsExactValuesAndDerivatives) {
  const Tensor y = row({1.5, -1.0 / 3, .875, .2, 1.1});
  const auto project = [&](const Tensor& t) { return optim::project_simplex(t, 2.0); };
  EXPECT_TRUE(close(project(y), row({121, 0, 46, 0, 73}) / 120, 1e-15));
  const Tensor support = vector({1, 0, 1, 0, 1});
  EXPECT_TRUE(close(jacobian(project, y), torch::diag(support) - torch::outer(support, support) / 3, 1e-15));
  const Tensor in_radius =
      jacobian([&](const Tensor& r) { return optim::project_simplex(y, r); }, vector({2.0}));
  EXPECT_TRUE(close(in_radius.flatten(), support / 3, 1e-15));
}

TEST(ProjectSimplex, KeepsDigitsFarFromZeroAndMaskedEntriesOut) {
  const Tensor y = row({1e9 + .25, 1e9, -kInfinity});
  EXPECT_TRUE(identical(optim::project_simplex(y), row({.625, .375, 0})));
}

TEST(ProjectSimplex, OfRadiusZeroIsZeroAndGrowsAtTheLargest) {
  const Tensor r = vector({0.0}).requires_grad_();
  const Tensor x = optim::project_simplex(row({.3, 2.0, 1.0}), r);
  EXPECT_TRUE(identical(x.detach(), row({0, 0, 0})));
  x[0][1].backward();
  EXPECT_EQ(r.grad().item<double>(), 1.0);
}

TEST(ProjectSimplex, AnEmptySetIsNanInItsRowAlone) {
  const Tensor y = normal({3, 4}).requires_grad_();
  const Tensor x = optim::project_simplex(y, vector({1.0, -1.0, 1.0}));
  EXPECT_TRUE(x[1].isnan().all().item<bool>());
  x.square().sum().backward();
  EXPECT_TRUE(y.grad()[1].isnan().all().item<bool>());
  EXPECT_TRUE(torch::isfinite(y.grad().index_select(0, torch::tensor({0, 2}))).all().item<bool>());
}

TEST(ProjectCappedSimplex, OfWellSeparatedEntriesIsTheirTopK) {
  const Tensor k = vector({2.0}).requires_grad_();
  const Tensor y = row({5.0, -kInfinity, 1.0, 7.0, 3.0}).requires_grad_();
  const Tensor x = optim::project_capped_simplex(y, k);
  EXPECT_TRUE(identical(x.detach(), row({1, 0, 0, 1, 0})));
  const auto gradient = torch::autograd::grad({(x * row({1, 2, 3, 4, 5})).sum()}, {y, k});
  EXPECT_TRUE(identical(gradient[0], torch::zeros_like(y)));
  EXPECT_EQ(gradient[1].item<double>(), 1.0);  // from the left, where the second largest grows
}

TEST(ProjectCappedSimplex, HasBothBounds) {
  // Threshold .4: 1.5 is capped, .9 and .7 move, 0 stays away.
  const Tensor y = row({1.5, .9, 0.0, .7});
  const auto project = [](const Tensor& t) { return optim::project_capped_simplex(t, 1.8); };
  EXPECT_TRUE(close(project(y), row({1, .5, 0, .3}), 1e-15));
  const Tensor expected = torch::tensor(
      {{0.0, 0.0, 0.0, 0.0}, {0.0, .5, 0.0, -.5}, {0.0, 0.0, 0.0, 0.0}, {0.0, -.5, 0.0, .5}}, options());
  EXPECT_TRUE(close(jacobian(project, y), expected, 1e-15));
}

TEST(ProjectCappedSimplex, HasAllOrNothingAtItsEnds) {
  const Tensor y = row({.4, -2.0, 1.0});
  EXPECT_TRUE(identical(optim::project_capped_simplex(y, 0.0), row({0, 0, 0})));
  EXPECT_TRUE(identical(optim::project_capped_simplex(y, 3.0), row({1, 1, 1})));
  EXPECT_TRUE(optim::project_capped_simplex(y, 3.5).isnan().all().item<bool>());
  EXPECT_TRUE(optim::project_capped_simplex(y, -.5).isnan().all().item<bool>());
}

// A point x of a set is nearest to y if no point z of the set has a larger (y − x)'z, and on these sets the
// largest is known. Entries are tied, and rows are long.
TEST(ProjectSimplexAndKin, AreOptimalForTiedAndLongRows) {
  torch::manual_seed(21);
  for (const auto dtype : {torch::kDouble, torch::kFloat}) {
    const double rounding = dtype == torch::kDouble ? 1e-11 : 1e-2;
    for (const std::int64_t n : {1, 2, 7, 40, 1000}) {
      for (const double fineness : {1.0, 4.0, 1e6}) {
        const Tensor y = (fineness * normal({30, n}, dtype)).round() / fineness;
        const auto gap = [&](const Tensor& x, const Tensor& best) {
          return (best - ((y - x) * x).sum(1)).abs().max().item<double>();
        };
        const Tensor on_simplex = optim::project_simplex(y, 3.0);
        EXPECT_LE(gap(on_simplex, 3 * (y - on_simplex).amax(1)), rounding);
        const Tensor in_ball = optim::project_l1_ball(y, .5);
        EXPECT_LE(gap(in_ball, .5 * (y - in_ball).abs().amax(1)), rounding);
        const std::int64_t k = (n + 1) / 2;
        const Tensor capped = optim::project_capped_simplex(y, static_cast<double>(k));
        EXPECT_LE(gap(capped, std::get<0>((y - capped).topk(k, 1)).sum(1)), rounding);
        EXPECT_TRUE(close(capped.sum(1), torch::full({30}, static_cast<double>(k), options(dtype)), 1e-5));
        EXPECT_GE(std::min(on_simplex.min().item<double>(), capped.min().item<double>()), 0.0);
        EXPECT_LE(capped.max().item<double>(), 1.0);
      }
    }
  }
}

TEST(RowNumber, SharedByAllRowsHasTheSumOfTheirGradients) {
  const Tensor y = normal({5, 4});
  const auto gradient = [&](Tensor radius) {
    radius.requires_grad_();
    const Tensor x = optim::project_simplex(y, radius);
    return torch::autograd::grad({x.pow(3).sum()}, {radius})[0];
  };
  const Tensor of_rows = gradient(torch::full({5}, 1.3, options()));
  EXPECT_TRUE(close(gradient(torch::full({}, 1.3, options())), of_rows.sum(), 1e-14));
}

TEST(SoftTopK, SumsToKAndTendsToTheIndicator) {
  const Tensor y = normal({5, 30});
  for (const double eps : {10.0, 1.0, .1, 1e-3}) {
    const Tensor x = optim::soft_top_k(y, 7.0, eps);
    EXPECT_TRUE(close(x.sum(1), torch::full({5}, 7.0, options()), 1e-13)) << eps;
  }
  const Tensor hard = torch::zeros_like(y).scatter(1, std::get<1>(y.topk(7, 1)), 1.0);
  EXPECT_TRUE(close(optim::soft_top_k(y, 7.0, 1e-6), hard, 1e-15));
}

// Two entries: x = sigmoid(±d / 2 eps) for k = 1, and near k = 1 both grow alike.
TEST(SoftTopK, HasDerivativesWhereAllEntriesAreSaturated) {
  for (const double gap : {.5, 40.0, 300.0}) {
    const Tensor y = row({gap, 0.0}).requires_grad_();
    const Tensor k = vector({1.0}).requires_grad_();
    const Tensor x = optim::soft_top_k(y, k, 1.0);
    const auto gradient = torch::autograd::grad({x[0][0]}, {y, k});
    const double slope = .25 / std::pow(std::cosh(gap / 4), 2);
    EXPECT_NEAR(gradient[0][0][0].item<double>() / (slope / 2), 1.0, 1e-13) << gap;
    EXPECT_NEAR(gradient[1].item<double>(), .5, 1e-13) << gap;
  }
}

TEST(SoftTopK, KeepsDigitsFarFromZero) {
  const Tensor y = row({1e6, 1e6 + .25, 1e6 - .5}).to(torch::kFloat);
  EXPECT_TRUE(close(optim::soft_top_k(y, 2.0, .1), optim::soft_top_k(y - 1e6, 2.0, .1), 1e-6));
}

TEST(SoftTopK, WithoutAnInteriorIsNan) {
  const Tensor y = normal({4, 3});
  const Tensor x = optim::soft_top_k(y, vector({0.0, 1.5, 3.0, 1.0}), vector({1.0, 1.0, 1.0, 0.0}));
  EXPECT_TRUE(identical(x.isnan().any(1), torch::tensor({true, false, true, true})));
}

TEST(ProjectBox, TakesInfiniteBoundsAndRefusesCrossedOnesPerEntry) {
  const Tensor y = row({5.0, -5.0, 1.0}).requires_grad_();
  const Tensor low = vector({-kInfinity, -1.0, 3.0}).requires_grad_();
  const Tensor x = optim::project_box(y, low, vector({kInfinity, kInfinity, 2.0}));
  EXPECT_TRUE(identical(x.detach(), row({5, -1, std::nan("")})));
  x.narrow(1, 0, 2).sum().backward();
  EXPECT_TRUE(identical(y.grad().narrow(1, 0, 2), row({1, 0})));
  EXPECT_TRUE(identical(low.grad().narrow(0, 0, 2), vector({0, 1})));
}

TEST(ProjectL2Ball, HasADerivativeAtZeroAndOnTheBoundary) {
  const auto project = [](const Tensor& t) { return optim::project_l2_ball(t, 5.0); };
  EXPECT_TRUE(identical(jacobian(project, row({0, 0})), torch::eye(2, options())));
  // On the boundary the normal direction is gone.
  const Tensor expected = torch::tensor({{.64, -.48}, {-.48, .36}}, options());
  EXPECT_TRUE(close(jacobian(project, row({3, 4})), expected, 1e-15));
  EXPECT_TRUE(close(project(row({3e200, 4e200})), row({3, 4}), 1e-15));
}

TEST(ProjectHalfSpace, OfAZeroNormalIsEverythingOrEmpty) {
  const Tensor y = normal({3, 2}).requires_grad_();
  const Tensor normal = torch::tensor({{0.0, 0.0}, {0.0, 0.0}, {1.0, 2.0}}, options()).requires_grad_();
  const Tensor x = optim::project_half_space(y, normal, vector({1.0, -1.0, kInfinity}));
  EXPECT_TRUE(identical(x[0], y[0]) && identical(x[2], y[2]));
  EXPECT_TRUE(x[1].isnan().all().item<bool>());
  (x[0] + x[2]).sum().backward();
  EXPECT_TRUE(torch::isfinite(normal.grad()[2]).all().item<bool>());
}

TEST(ProjectAffineSet, TakesDependentRowsAndFindsContradictions) {
  const Tensor A = torch::tensor({{1.0, 1.0, 1.0}, {2.0, 2.0, 2.0}, {1.0, 0.0, -1.0}}, options());
  const Tensor b = torch::tensor({{1.0, 2.0, 0.0}, {1.0, 3.0, 0.0}}, options());
  const Tensor x = optim::project_affine_set(zeros({2, 3}), A, b);
  EXPECT_TRUE(close(x[0], torch::full({3}, 1.0 / 3, options()), 1e-15));
  EXPECT_TRUE(x[1].isnan().all().item<bool>());
  // Along directions that keep the equations consistent, b moves x as it should.
  const Tensor in_b = jacobian(
      [&](const Tensor& t) {
        return optim::project_affine_set(zeros({1, 3}), A, t);
      },
      b.narrow(0, 0, 1));
  EXPECT_TRUE(close(in_b.matmul(vector({1, 2, 0})), torch::full({3}, 1.0 / 3, options()), 1e-14));
  EXPECT_TRUE(close(in_b.matmul(vector({0, 0, 1})), vector({.5, 0, -.5}), 1e-14));
}

TEST(ProjectSecondOrderCone, HasItsExactJacobianAndHessian) {
  const Tensor y = row({1, 3, 4});
  const auto project = [](const Tensor& t) { return optim::project_second_order_cone(t); };
  EXPECT_TRUE(close(project(y), row({3, 1.8, 2.4}), 1e-15));
  const Tensor J =
      torch::tensor({{.5, .3, .4}, {.3, 141.0 / 250, -6.0 / 125}, {.4, -6.0 / 125, 67.0 / 125}}, options());
  EXPECT_TRUE(close(jacobian(project, y), J, 1e-15));
  const auto slope = [&](const Tensor& t) {
    return torch::autograd::grad({(project(t) * row({1, 2, 3})).sum()}, {t}, {}, true, true)[0];
  };
  const Tensor H = torch::tensor({{0.0, -2.0 / 125, 3.0 / 250},
                                  {-2.0 / 125, 68.0 / 3125, -77.0 / 6250},
                                  {3.0 / 250, -77.0 / 6250, 39.0 / 6250}},
                                 options());
  EXPECT_TRUE(close(jacobian(slope, y), H, 1e-15));
}

TEST(ProjectSecondOrderCone, HasAnApexAndAnAxis) {
  const auto project = [](const Tensor& t) { return optim::project_second_order_cone(t); };
  EXPECT_TRUE(identical(jacobian(project, row({0, 0, 0})), zeros({3, 3})));
  EXPECT_TRUE(identical(jacobian(project, row({2, 0, 0})), torch::eye(3, options())));
  EXPECT_TRUE(identical(project(row({-2, 0, 0})), row({0, 0, 0})));
  EXPECT_TRUE(identical(project(row({-2})), row({0})));
}

TEST(ProjectSemidefiniteCone, HasDerivativesWhereEigenvaluesMeet) {
  const auto project = [](const Tensor& t) { return optim::project_semidefinite_cone(t); };
  const Tensor eye = torch::eye(3, options()).unsqueeze(0);
  // Inside, what remains is the symmetric part; outside, nothing.
  const Tensor swap = torch::eye(9, options()).view({3, 3, 9}).transpose(0, 1).reshape({9, 9});
  EXPECT_TRUE(close(jacobian(project, eye), .5 * (torch::eye(9, options()) + swap), 1e-15));
  EXPECT_TRUE(identical(jacobian(project, -eye), zeros({9, 9})));
  // A zero eigenvalue counts as negative.
  EXPECT_TRUE(identical(jacobian(project, 0 * eye), zeros({9, 9})));
}

// diag(a, −b): the off-diagonal number moves by a / (a + b), however small both are beside a third
// eigenvalue.
TEST(ProjectSemidefiniteCone, KeepsSmallEigenvaluesApart) {
  const Tensor y = torch::diag(vector({1e-9, -3e-9, 1.0})).unsqueeze(0);
  const Tensor J = jacobian([](const Tensor& t) { return optim::project_semidefinite_cone(t); }, y);
  EXPECT_NEAR((J[1][1] + J[1][3]).item<double>(), .25, 1e-14);
}

}  // namespace
}  // namespace stillpoint::test
