// Programs whose data are special: fixed unknowns, a singular Q in float, parts that samples share.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::ProgramSolution;
using optim::ProgramStatus;

// The parts of 5 programs, each with a point near zero inside.
std::vector<Tensor> batch_of_parts() {
  const Tensor root = normal({5, 4, 4});
  const Tensor point = .1 * normal({5, 4, 1});
  const Tensor A = normal({5, 1, 4});
  std::vector<Tensor> parts = {root.matmul(root.transpose(1, 2)) + .1 * torch::eye(4, options()),
                               3 * normal({5, 4}),
                               normal({5, 3, 4}),
                               torch::rand({5, 3}, torch::kDouble).to(options()) + 1,
                               A,
                               A.matmul(point).squeeze(2),
                               -.5 - torch::rand({5, 4}, torch::kDouble).to(options()),
                               .5 + torch::rand({5, 4}, torch::kDouble).to(options())};
  for (Tensor& part : parts) part = part.detach().requires_grad_();
  return parts;
}

Tensor number_of(const std::vector<Tensor>& v) {
  const ProgramSolution s = quadratic_program({v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]});
  EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
  Tensor number = zeros({});
  for (const Tensor& output : {s.x, s.z, s.y, s.lower, s.upper, s.slack}) {
    const Tensor weights = torch::cos(torch::arange(output.numel(), options())).view(output.sizes());
    number = number + (weights * output).sum() + output.square().sum();
  }
  return number;
}

TEST(QuadraticProgram, SumsTheDerivativesOfEachPartThatSamplesShare) {
  torch::manual_seed(3);
  const std::vector<Tensor> batched = batch_of_parts();
  for (std::size_t part = 0; part < batched.size(); ++part) {
    std::vector<Tensor> shared = batched;
    shared[part] = batched[part][2].detach().clone().requires_grad_();
    std::vector<Tensor> each = batched;
    each[part] = shared[part].detach().expand_as(batched[part]).clone().requires_grad_();
    const auto derivatives_of = [&](const std::vector<Tensor>& parts) {
      const Tensor first = gradients(number_of(parts), {parts[part]}, true)[0];
      const Tensor direction = torch::sin(torch::arange(shared[part].numel(), options()));
      const Tensor along = (first * direction.view(shared[part].sizes())).sum();
      return std::pair{first, gradients(along, {parts[part]})[0]};
    };
    const auto of_shared = derivatives_of(shared);
    const auto of_each = derivatives_of(each);
    EXPECT_TRUE(close(of_shared.first, of_each.first.sum(0), 1e-12)) << part;
    EXPECT_TRUE(close(of_shared.second, of_each.second.sum(0), 1e-11)) << part;
  }
}

// The number of a program whose first and third unknowns are fixed at t, and its derivatives in Q, p and t.
std::vector<Tensor> derivatives_where_fixed(bool by_bounds) {
  const std::vector<Tensor> v = {leaf({2, 1, 0, 1, 2, 1, 0, 1, 2}, {3, 3}), leaf({-4, 1, 7}), leaf({1, -2})};
  const Tensor none = vector({kInfinity});
  const auto fixed = [&](const Tensor& other) {
    return torch::cat({v[2].narrow(0, 0, 1), other, v[2].narrow(0, 1, 1)});
  };
  const ProgramSolution s =
      by_bounds ? quadratic_program({.Q = v[0], .p = v[1], .lower = fixed(-none), .upper = fixed(none)})
                : quadratic_program(
                      {.Q = v[0], .p = v[1], .A = vector({1, 0, 0, 0, 0, 1}).view({2, 3}), .b = v[2]});
  EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
  const Tensor multiplier =
      by_bounds ? (s.upper - s.lower).index_select(1, torch::tensor({0, 2}).to(device())) : s.y;
  const Tensor number = (row({1, 3, -2}) * s.x.square()).sum() + (row({-1, 2}) * multiplier.square()).sum();
  std::vector<Tensor> all = gradients(number, v, true);
  Tensor along = zeros({});
  for (const Tensor& g : all) along = along + g.square().sum();
  const auto second = gradients(along, v);
  all.insert(all.end(), second.begin(), second.end());
  all.push_back(number);
  return all;
}

TEST(QuadraticProgram, TakesFixedUnknowns) {
  const auto s = quadratic_program({.Q = vector({2, 1, 0, 1, 2, 1, 0, 1, 2}).view({3, 3}),
                                    .p = vector({-4, 1, 7}),
                                    .lower = vector({1, -kInfinity, -2}),
                                    .upper = vector({1, kInfinity, -2})});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(close(s.x, row({1, 0, -2}), 1e-14));
  EXPECT_TRUE(close(s.upper - s.lower, row({2, 0, -3}), 1e-13));
  EXPECT_TRUE((s.lower >= 0).all().item<bool>() && (s.upper >= 0).all().item<bool>());
  EXPECT_FALSE(s.stats.weakly_active[0] || s.stats.dual_not_unique[0] || s.stats.primal_not_unique[0]);
}

// Equal bounds are one equation: they have a kink nowhere, and with another one on the same unknown their
// duals are not unique.
TEST(QuadraticProgram, FlagsFixedUnknownsAsEquations) {
  const Tensor Q = torch::eye(2, options());
  const Tensor bound = vector({1, -kInfinity});
  const auto without_force =
      quadratic_program({.Q = Q, .p = vector({-1, 2}), .lower = bound, .upper = vector({1, 5})});
  ASSERT_TRUE(without_force.stats.optimal()) << without_force.stats.full();
  EXPECT_TRUE(identical(without_force.x[0][0], vector({1})[0]));
  EXPECT_FALSE(without_force.stats.weakly_active[0] || without_force.stats.dual_not_unique[0]);

  const auto twice = quadratic_program({.Q = Q,
                                        .p = vector({-3, 2}),
                                        .A = vector({2, 0}).view({1, 2}),
                                        .b = vector({2}),
                                        .lower = bound,
                                        .upper = vector({1, 5})});
  ASSERT_TRUE(twice.stats.optimal()) << twice.stats.full();
  EXPECT_TRUE(twice.stats.dual_not_unique[0]);
  EXPECT_FALSE(twice.stats.weakly_active[0]);

  const auto at_a_kink =
      quadratic_program({.Q = Q, .p = vector({-3, 0}), .lower = vector({1, 0}), .upper = vector({1, 5})});
  EXPECT_TRUE(at_a_kink.stats.weakly_active[0]);
}

// A dual of one of two equal bounds has no derivative; that of their difference has one.
TEST(QuadraticProgram, SaysThatTheDualOfOneOfTwoEqualBoundsHasNoDerivative) {
  const Tensor p = leaf({-3, 2});
  const auto s = quadratic_program(
      {.Q = torch::eye(2, options()), .p = p, .lower = vector({1, -9}), .upper = vector({1, 9})},
      {.on_failure = OnFailure::Ignore});
  EXPECT_TRUE(close(gradients((s.upper - s.lower)[0][0], {p})[0], vector({-1, 0}), 1e-14));
  EXPECT_EQ(s.stats.backward->status[0], Status::Converged);
  gradients(s.upper[0][0], {p});
  EXPECT_EQ(s.stats.backward->status[0], Status::Inaccurate);
}

TEST(QuadraticProgram, DifferentiatesFixedUnknownsAsEqualities) {
  const auto by_bounds = derivatives_where_fixed(true);
  const auto by_equalities = derivatives_where_fixed(false);
  for (std::size_t i = 0; i < by_bounds.size(); ++i)
    EXPECT_TRUE(close(by_bounds[i], by_equalities[i], 1e-12)) << i;
}

TEST(LinearProgram, MayHaveNothingButFixedUnknowns) {
  const Tensor at = leaf({3, -1, 0});
  const auto s = quadratic_program({.p = vector({2, -5, 0}), .lower = at, .upper = at});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(close(s.x, row({3, -1, 0}), 1e-14));
  EXPECT_TRUE(close(s.upper - s.lower, row({-2, 5, 0}), 1e-14));
  EXPECT_TRUE(close(gradients((row({1, 2, 3}) * s.x).sum(), {at})[0], vector({1, 2, 3}), 1e-14));
}

TEST(QuadraticProgram, ProvesThatBoundsCross) {
  const Tensor lower = vector({0, 1});
  const Tensor upper = vector({1, .75});
  const auto s = quadratic_program({.Q = torch::eye(2, options()), .lower = lower, .upper = upper},
                                   {.on_failure = OnFailure::Ignore});
  ASSERT_EQ(s.stats.status[0], ProgramStatus::Infeasible);
  const Tensor& of_lower = s.certificate.lower[0];
  const Tensor& of_upper = s.certificate.upper[0];
  EXPECT_TRUE((of_lower >= 0).all().item<bool>());
  EXPECT_TRUE(close(of_upper, of_lower, 1e-8));
  EXPECT_NEAR((upper * of_upper - lower * of_lower).sum().item<double>(), -1, 1e-8);
}

// Rounding to float leaves such a matrix eigenvalues a little below zero.
TEST(QuadraticProgram, TakesASingularMatrixInFloat) {
  torch::manual_seed(9);
  constexpr std::int64_t batch = 64;
  const auto rounded = [](const Tensor& t) { return t.to(torch::kFloat).to(torch::kDouble); };
  const Tensor root = rounded(normal({batch, 6, 3}));
  const std::vector<Tensor> parts = {root.matmul(root.transpose(1, 2)), rounded(normal({batch, 6})),
                                     rounded(normal({batch, 8, 6})),
                                     rounded(1 + torch::rand({batch, 8}, torch::kDouble).to(options()))};
  const Tensor side = torch::ones({6}, options());
  const Tensor weight = normal({batch, 6});
  const auto results = [&](torch::Dtype dtype) {
    std::vector<Tensor> v;
    for (const Tensor& part : parts) v.push_back(part.to(dtype).requires_grad_());
    const auto s = quadratic_program(
        {.Q = v[0], .p = v[1], .G = v[2], .h = v[3], .lower = -side.to(dtype), .upper = side.to(dtype)});
    EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
    EXPECT_FALSE(s.stats.primal_not_unique.any());
    auto all = gradients((weight.to(dtype) * s.x).sum(), v);
    all.push_back(s.x);
    all.push_back(s.z);
    return all;
  };
  const auto in_float = results(torch::kFloat);
  const auto in_double = results(torch::kDouble);
  for (std::size_t i = 0; i < in_float.size(); ++i) EXPECT_TRUE(close(in_float[i], in_double[i], 1e-3)) << i;
}

TEST(QuadraticProgram, SeesInFloatThatASolutionIsNotUnique) {
  const Tensor v = vector({.1, .3, .7}, torch::kFloat);
  const Tensor p = (-v).requires_grad_();
  const auto s = quadratic_program({.Q = v.unsqueeze(1) * v, .p = p}, {.on_failure = OnFailure::Ignore});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(s.stats.primal_not_unique[0]);
  EXPECT_NEAR((v * s.x).sum().item<double>(), 1, 1e-5);
  EXPECT_TRUE(gradients(s.x.sum(), {p})[0].isnan().all().item<bool>());
}

}  // namespace
}  // namespace stillpoint::test
