// Random programs beside an independent computation: the equations of the active set, by LU.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::ProgramStatus;
using optim::QuadraticProgram;

struct Data {
  Tensor Q, p, G, h;

  Data(std::int64_t batch, std::int64_t n, std::int64_t m) {
    const Tensor root = normal({batch, n, n}) / std::sqrt(static_cast<double>(n));
    Q = root.matmul(root.transpose(1, 2)) + 1e-2 * torch::eye(n, options());
    p = normal({batch, n});
    G = normal({batch, m, n});
    // A point inside, at random distances.
    h = G.matmul(normal({batch, n, 1})).squeeze(2) + torch::rand({batch, m}, torch::kDouble).to(options());
  }
  std::vector<Tensor> leaves() const {
    for (const Tensor& t : {Q, p, G, h}) t.requires_grad_(true);
    return {Q, p, G, h};
  }
  QuadraticProgram program() const { return {.Q = Q, .p = p, .G = G, .h = h}; }
};

// [x; duals of the active rows], with its graph.
std::pair<Tensor, Tensor> on_active_set(const Data& d, std::int64_t i, const Tensor& active) {
  const Tensor rows = d.G[i].index_select(0, active);
  const auto k = active.size(0);
  const Tensor matrix = torch::cat(
      {torch::cat({(d.Q[i] + d.Q[i].t()) / 2, rows.t()}, 1), torch::cat({rows, zeros({k, k})}, 1)});
  const Tensor right = torch::cat({-d.p[i], d.h[i].index_select(0, active)});
  const Tensor solution = torch::linalg_solve(matrix, right.unsqueeze(1)).squeeze(1);
  return {solution.narrow(0, 0, d.p.size(1)), solution.narrow(0, d.p.size(1), k)};
}

class RandomPrograms : public testing::TestWithParam<std::pair<std::int64_t, std::int64_t>> {};

TEST_P(RandomPrograms, HaveValuesAndGradientsOfTheExactActiveSet) {
  torch::manual_seed(1);
  const auto [n, m] = GetParam();
  const std::int64_t batch = 128;
  const Data d(batch, n, m);
  const auto leaves = d.leaves();
  const auto s = quadratic_program(d.program());
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  const Tensor of_x = normal({batch, n});
  const Tensor of_z = normal({batch, m});
  const auto got = gradients((of_x * s.x).sum() + (of_z * s.z).sum(), leaves);
  Tensor expected_x;
  for (std::int64_t i = 0; i < batch; ++i) {
    const Tensor active = (s.z[i] > 0).nonzero().flatten();
    const auto [x, z] = on_active_set(d, i, active);
    EXPECT_TRUE(close(s.x[i], x, 1e-11)) << i;
    EXPECT_TRUE(close(s.z[i].index_select(0, active), z, 1e-10)) << i;
    EXPECT_GE(z.numel() > 0 ? z.min().item<double>() : 0.0, 0.0);
    EXPECT_LE((d.G[i].mv(x) - d.h[i]).max().item<double>(), 1e-12);
    const auto expected =
        gradients((of_x[i] * x).sum() + (of_z[i].index_select(0, active) * z).sum(), leaves);
    for (int part = 0; part < 4; ++part) EXPECT_TRUE(close(got[part][i], expected[part][i], 1e-10)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RandomPrograms,
                         testing::Values(std::pair{2, 3}, std::pair{10, 10}, std::pair{50, 50},
                                         std::pair{30, 60}, std::pair{100, 100}));

TEST(QuadraticProgram, IsTheSameAloneAndBesideInfeasiblePrograms) {
  torch::manual_seed(2);
  const Data d(5, 6, 9);
  const auto whole = quadratic_program(d.program());
  ASSERT_TRUE(whole.stats.optimal());
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto alone = quadratic_program({.Q = d.Q[i], .p = d.p[i], .G = d.G[i], .h = d.h[i]});
    for (const auto part :
         {&optim::ProgramSolution::x, &optim::ProgramSolution::z, &optim::ProgramSolution::slack})
      EXPECT_TRUE(identical((alone.*part)[0], (whole.*part)[i]));
  }
  // Rows 0 and 1 of sample 1 contradict each other; sample 3 is not a number, and sample 4 not convex.
  Data bad = d;
  bad.G = d.G.clone();
  bad.h = d.h.clone();
  bad.p = d.p.clone();
  bad.Q = d.Q.clone();
  bad.G[1][1] = -bad.G[1][0];
  bad.h[1][1] = -bad.h[1][0] - 1;
  bad.p[3][2] = std::nan("");
  bad.Q[4][0][0] = -1;
  const auto leaves = bad.leaves();
  const auto some = quadratic_program(bad.program(), {.on_failure = OnFailure::Ignore});
  const std::vector<ProgramStatus> expected = {ProgramStatus::Optimal, ProgramStatus::Infeasible,
                                               ProgramStatus::Optimal, ProgramStatus::NotFinite,
                                               ProgramStatus::NotConvex};
  EXPECT_EQ(some.stats.status, expected);
  const auto good_leaves = d.leaves();
  const auto good = quadratic_program(d.program());
  const auto all = gradients(good.x.sum(), good_leaves);
  const auto rest = gradients(some.x.sum(), leaves);
  for (const std::int64_t i : {0, 2}) {
    EXPECT_TRUE(identical(some.x[i], whole.x[i]));
    EXPECT_TRUE(identical(some.z[i], whole.z[i]));
    for (int part = 0; part < 4; ++part) EXPECT_TRUE(identical(rest[part][i], all[part][i]));
  }
  for (const std::int64_t i : {1, 3, 4}) EXPECT_TRUE(rest[1][i].isnan().all().item<bool>());
  // A loss that leaves bad programs out has their gradient, zero.
  const auto left_out = gradients(some.x[0].sum(), leaves);
  EXPECT_TRUE(identical(left_out[1][1], zeros({6})));
}

// Far from a polytope of many faces, more rows seem active at first than a corner has.
TEST(QuadraticProgram, FindsTheCornersOfPolytopesWithManyFaces) {
  for (const int seed : {0, 5, 8, 9, 14, 19}) {
    torch::manual_seed(seed);
    const Tensor y = 100 * normal({200, 10});
    const Tensor G = normal({100, 10});
    const auto s = quadratic_program({.Q = torch::eye(10, options()),
                                      .p = -y,
                                      .G = G,
                                      .h = torch::rand({100}, torch::kDouble).to(options())});
    EXPECT_TRUE(s.stats.optimal()) << seed << ": " << s.stats.full();
    EXPECT_TRUE(close(s.x - y + s.z.matmul(G), torch::zeros_like(y), 1e-11)) << seed;
    EXPECT_LE((s.z * s.slack).abs().max().item<double>(), 0.0) << seed;
  }
}

// After one step the active set may show already, and then the solution is exact. Else the status says so.
TEST(QuadraticProgram, SaysWhenIterationsRanOut) {
  torch::manual_seed(6);
  const Data d(64, 30, 60);
  const auto leaves = d.leaves();
  const auto exact = quadratic_program(d.program());
  const auto s =
      quadratic_program(d.program(), {.solver = {.max_iterations = 1}, .on_failure = OnFailure::Ignore});
  EXPECT_GT(s.stats.count(ProgramStatus::IterationLimit), 0);
  const Tensor g = gradients(s.x.sum(), leaves)[1];
  for (std::int64_t i = 0; i < 64; ++i) {
    const bool solved = s.stats.status[i] == ProgramStatus::Optimal;
    EXPECT_TRUE(solved || s.stats.status[i] == ProgramStatus::IterationLimit) << i;
    EXPECT_EQ(solved, static_cast<bool>(close(s.x[i], exact.x[i], 1e-9))) << i;
    EXPECT_EQ(g[i].isnan().any().item<bool>(), !solved) << i;
    EXPECT_TRUE(s.x[i].isfinite().all().item<bool>()) << i;
  }
}

TEST(QuadraticProgram, SumsTheGradientsOfWhatSamplesShare) {
  torch::manual_seed(3);
  const Data one(1, 4, 6);
  const Tensor p = normal({7, 4});
  Data shared = one;
  shared.Q = one.Q[0].clone();
  shared.G = one.G[0].clone();
  shared.h = one.h[0].clone();
  shared.p = p;
  Data expanded = shared;
  expanded.Q = shared.Q.expand({7, 4, 4}).clone();
  expanded.G = shared.G.expand({7, 6, 4}).clone();
  expanded.h = shared.h.expand({7, 6}).clone();
  const auto a = shared.leaves();
  const auto b = expanded.leaves();
  const Tensor weight = normal({7, 4});
  const auto of_shared = gradients((weight * quadratic_program(shared.program()).x).sum(), a);
  const auto of_each = gradients((weight * quadratic_program(expanded.program()).x).sum(), b);
  for (int part = 0; part < 4; ++part)
    EXPECT_TRUE(close(of_shared[part], part == 1 ? of_each[part] : of_each[part].sum(0), 1e-12));
}

// x and all duals of programs with every part, against differences of exact gradients.
TEST(QuadraticProgram, HasSecondDerivativesInEveryPart) {
  torch::manual_seed(4);
  Data d(2, 5, 4);
  d.h = torch::rand({2, 4}, torch::kDouble).to(options()) + .05;  // so that x = 0 is inside
  std::vector<Tensor> leaves = d.leaves();
  const Tensor A = normal({2, 5});
  const Tensor b = .1 * normal({2});
  for (const Tensor& t : {A, b, (zeros({5}) - .5).clone(), (zeros({5}) + .7).clone()})
    leaves.push_back(t.requires_grad_(true));
  std::vector<Tensor> toward;
  for (const Tensor& t : leaves) toward.push_back(normal(t.sizes()));
  const Tensor weight = normal({2, 5});
  const Tensor dual_weight = normal({2, 4});
  const auto loss = [&](const std::vector<Tensor>& v) {
    const auto s = quadratic_program({v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]});
    EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
    EXPECT_FALSE(s.stats.weakly_active.any());
    return (weight * s.x).sum() + (dual_weight * s.z).sum() + s.y.square().sum() +
           (weight * s.lower * s.x).sum() + s.upper.square().sum() + (dual_weight * s.slack).square().sum();
  };
  const auto first = gradients(loss(leaves), leaves, true);
  Tensor along = zeros({});
  for (std::size_t i = 0; i < leaves.size(); ++i) along = along + (first[i] * toward[i]).sum();
  const auto second = gradients(along, leaves, true);
  Tensor along_twice = zeros({});
  for (std::size_t i = 0; i < leaves.size(); ++i) along_twice = along_twice + (second[i] * toward[i]).sum();
  const auto third = gradients(along_twice, leaves);

  const double e = 1e-5;
  const auto moved = [&](double by) {
    std::vector<Tensor> there;
    for (std::size_t i = 0; i < leaves.size(); ++i)
      there.push_back((leaves[i] + by * toward[i]).detach().requires_grad_(true));
    return there;
  };
  const auto gradient_at = [&](double by) {
    const auto there = moved(by);
    return gradients(loss(there), there);
  };
  const auto second_at = [&](double by) {
    const auto there = moved(by);
    const auto g = gradients(loss(there), there, true);
    Tensor sum = zeros({});
    for (std::size_t i = 0; i < there.size(); ++i) sum = sum + (g[i] * toward[i]).sum();
    return gradients(sum, there);
  };
  const auto up = gradient_at(e);
  const auto down = gradient_at(-e);
  const auto up2 = second_at(e);
  const auto down2 = second_at(-e);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_TRUE(close(second[i], (up[i] - down[i]) / (2 * e), 1e-6)) << i;
    EXPECT_TRUE(close(third[i], (up2[i] - down2[i]) / (2 * e), 1e-5)) << i;
  }
}

TEST(QuadraticProgram, SolvesInFloat) {
  torch::manual_seed(5);
  const Data d(4, 8, 12);
  const auto in_double = d.leaves();
  const Data f = [&] {
    Data copy = d;
    for (Tensor* t : {&copy.Q, &copy.p, &copy.G, &copy.h}) *t = t->detach().to(torch::kFloat);
    return copy;
  }();
  const auto in_float = f.leaves();
  const auto expected = quadratic_program(d.program());
  const auto s = quadratic_program(f.program());
  EXPECT_EQ(s.x.scalar_type(), torch::kFloat);
  EXPECT_TRUE(close(s.x, expected.x, 1e-4));
  const auto g = gradients(s.x.sum(), in_float);
  const auto exact = gradients(expected.x.sum(), in_double);
  for (int part = 0; part < 4; ++part) {
    EXPECT_EQ(g[part].scalar_type(), torch::kFloat);
    EXPECT_TRUE(close(g[part], exact[part], 1e-3));
  }
}

}  // namespace
}  // namespace stillpoint::test
