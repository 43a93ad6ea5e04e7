// What holds of every projection: it is the nearest point, its derivatives are those of differences, rows do
// not know of each other.
#include <gtest/gtest.h>

#include <limits>

#include "optim/projections.h"
#include "support/compare.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

class ProjectionConformance : public testing::TestWithParam<Projection> {};
class ProjectionOntoSet : public testing::TestWithParam<Projection> {};

TEST_P(ProjectionOntoSet, IsInTheSetAndStaysThere) {
  const Projection& p = GetParam();
  for (const auto dtype : {torch::kDouble, torch::kFloat}) {
    auto in = p.values(dtype);
    const Tensor x = p.project(in);
    const double rounding = dtype == torch::kDouble ? 1e-14 : 1e-5;
    EXPECT_LE(p.violation(in, x).max().item<double>(), rounding);
    in[0] = x;
    EXPECT_TRUE(close(p.project(in), x, rounding));
  }
}

// ⟨y − x, z − x⟩ ≤ 0 for all z of the set says that x is nearest.
TEST_P(ProjectionOntoSet, IsTheNearestPoint) {
  const Projection& p = GetParam();
  torch::manual_seed(5);
  const auto in = p.values();
  const Tensor x = p.project(in);
  for (int trial = 0; trial < 200; ++trial) {
    const Tensor z = p.member(in, 2 * torch::randn_like(x));
    ASSERT_LE(p.violation(in, z).max().item<double>(), 1e-13) << "the test's own point";
    const Tensor slope = ((in[0] - x) * (z - x)).flatten(1).sum(1);
    ASSERT_LE(slope.max().item<double>(), 1e-12 * z.abs().max().item<double>());
  }
}

TEST_P(ProjectionConformance, DerivativesAreExactToSecondOrder) {
  const Projection& p = GetParam();
  const Layer layer = [&](const Solve&, const std::vector<Tensor>& in) { return p.project(in); };
  // The reference is the layer itself: what is checked are differences, layouts, dtypes and samples alone.
  check_layer(layer, p.inputs, {.variants = {exact_variants().front()}});
}

TEST_P(ProjectionConformance, RowsAreThoseOfTheBatchToTheBit) {
  const Projection& p = GetParam();
  const auto gradients = [&](std::vector<Tensor> in) {
    std::vector<Tensor> leaves;
    for (const Tensor& t : in) leaves.push_back(t.detach().clone().requires_grad_());
    const Tensor x = p.project(leaves);
    auto found = torch::autograd::grad({x.pow(3).sum()}, leaves);
    return std::pair(x, found);
  };
  const auto [all, all_gradients] = gradients(p.values());
  for (std::int64_t b = 0; b < all.size(0); ++b) {
    const auto [alone, own] = gradients(p.rows(b, 1));
    EXPECT_TRUE(identical(alone, all.narrow(0, b, 1))) << "row " << b;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (p.inputs[i].per_sample) {
        EXPECT_TRUE(identical(own[i], all_gradients[i].narrow(0, b, 1))) << "gradient in input " << i;
      }
    }
  }
}

TEST_P(ProjectionConformance, NanInOneRowLeavesTheOthers) {
  const Projection& p = GetParam();
  const WarningRecorder quiet;
  const Tensor right = p.project(p.values());
  auto in = p.values();
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = in[i].clone().requires_grad_();
  Tensor broken = in[0].detach().clone();
  broken[1].flatten()[2] = std::numeric_limits<double>::quiet_NaN();
  in[0] = broken.requires_grad_();
  const Tensor x = p.project(in);
  EXPECT_TRUE(x[1].isnan().any().item<bool>());
  const auto gradient = torch::autograd::grad({x.pow(3).sum()}, {in[0]})[0];
  for (const std::int64_t b : {0, 2, 3}) {
    EXPECT_TRUE(identical(x[b], right[b])) << "row " << b;
    EXPECT_TRUE(torch::isfinite(gradient[b]).all().item<bool>()) << "gradient of row " << b;
  }
}

TEST_P(ProjectionConformance, TakesAnEmptyBatch) {
  const Projection& p = GetParam();
  auto in = p.rows(0, 0);
  for (Tensor& t : in) t = t.detach().clone().requires_grad_();
  const Tensor x = p.project(in);
  EXPECT_EQ(x.sizes(), in[0].sizes());
  x.sum().backward();
  EXPECT_EQ(in[0].grad().sizes(), in[0].sizes());
}

TEST_P(ProjectionConformance, RefusesWhatIsNoBatchOfPoints) {
  const Projection& p = GetParam();
  const auto with = [&](const Tensor& y) {
    auto in = p.values();
    in[0] = y;
    return [&p, in] { p.project(in); };
  };
  const Tensor y = p.inputs[0].value;
  expect_error(with(Tensor()), "expected a tensor [B, …], got an undefined one");
  expect_error(with(y.to(torch::kLong)), "expected a floating-point dtype, got Long");
  expect_error(with(y.to(torch::kHalf)), "expected float or double, got Half");
  expect_error(with(y.unsqueeze(1)), ", got shape");
  expect_error(with(y.narrow(1, 0, 0)), ", got shape");
}

TEST_P(ProjectionConformance, RefusesOtherArgumentsThatDoNotFit) {
  const Projection& p = GetParam();
  for (std::size_t i = 1; i < p.inputs.size(); ++i) {
    auto in = p.values();
    in[i] = in[i].to(torch::kFloat);
    expect_error([&] { p.project(in); }, ": expected");
    in = p.values();
    in[i] = torch::cat({in[i], in[i].narrow(0, 0, 1)});
    expect_error([&] { p.project(in); }, ": expected");
  }
}

std::vector<Projection> projections_onto_sets() {
  std::vector<Projection> result;
  for (const Projection& p : projections()) {
    if (p.member) result.push_back(p);
  }
  return result;
}

INSTANTIATE_TEST_SUITE_P(All, ProjectionOntoSet, testing::ValuesIn(projections_onto_sets()),
                         [](const auto& tested) { return tested.param.name; });
INSTANTIATE_TEST_SUITE_P(All, ProjectionConformance, testing::ValuesIn(projections()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace stillpoint::test
