// Programs that differ in their units alone have the same active set; rows that nearly contradict each other
// are told apart.
#include <gtest/gtest.h>

#include <cmath>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::ProgramSolution;

class ProgramUnits : public testing::TestWithParam<int> {};

// Q and p in other units of the cost, or p and h in other units of x, are the same program.
TEST_P(ProgramUnits, LeaveTheSolutionAlone) {
  torch::manual_seed(1);
  const double unit = std::pow(10.0, GetParam());
  const Tensor root = normal({64, 8, 8});
  const Tensor Q = root.matmul(root.transpose(1, 2)) + .1 * torch::eye(8, options());
  const Tensor p = 3 * normal({64, 8});
  const Tensor G = normal({64, 10, 8});
  const Tensor h = torch::rand({64, 10}, torch::kDouble).to(options());
  const ProgramSolution plain = quadratic_program({.Q = Q, .p = p, .G = G, .h = h});
  const ProgramSolution of_cost = quadratic_program({.Q = unit * Q, .p = unit * p, .G = G, .h = h});
  const ProgramSolution of_x = quadratic_program({.Q = Q, .p = unit * p, .G = G, .h = unit * h});
  for (const ProgramSolution* s : {&of_cost, &of_x}) {
    EXPECT_TRUE(s->stats.optimal()) << s->stats.full();
    EXPECT_EQ(s->stats.weakly_active, plain.stats.weakly_active);
    EXPECT_TRUE(close(s->z / unit, plain.z, 1e-9));
  }
  EXPECT_TRUE(close(of_cost.x, plain.x, 1e-9));
  EXPECT_TRUE(close(of_x.x / unit, plain.x, 1e-9));
}

INSTANTIATE_TEST_SUITE_P(Powers, ProgramUnits, testing::Values(-12, -8, -6, -3, 3, 6, 8, 12));

// A pull of 1e9 toward sides at a distance of 1: its rounding is far larger than what of the sides counts as
// zero.
TEST(QuadraticProgram, KeepsSidesApartUnderAnEnormousPull) {
  torch::manual_seed(0);
  for (const double pull : {1e6, 1e9}) {
    const Tensor y = pull * normal({50, 6});
    const ProgramSolution simplex = quadratic_program({.Q = torch::eye(6, options()),
                                                       .p = -y,
                                                       .A = torch::ones({1, 6}, options()),
                                                       .b = vector({1}),
                                                       .lower = zeros({6})});
    EXPECT_TRUE(simplex.stats.optimal()) << simplex.stats.full();
    EXPECT_TRUE(close(simplex.x, optim::project_simplex(y), 1e-14));
    const Tensor root = normal({50, 6, 6});
    const Tensor G = normal({50, 8, 6});
    const Tensor h = torch::rand({50, 8}, torch::kDouble).to(options());
    const ProgramSolution s =
        quadratic_program({.Q = root.matmul(root.transpose(1, 2)) + .01 * torch::eye(6, options()),
                           .p = pull * normal({50, 6}),
                           .G = G,
                           .h = h});
    EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
    EXPECT_LE((torch::matmul(G, s.x.unsqueeze(2)).squeeze(2) - h).max().item<double>(),
              1e-12 * s.x.abs().max().item<double>());
  }
}

// x₁ ≤ 1 and x₁ ≥ 1 − gap, with a force toward 1.
TEST(QuadraticProgram, TellsTheSidesOfANarrowGapApart) {
  for (const double gap : {1e-3, 1e-5, 1e-6, 1e-7}) {
    for (const double force : {1e-3, .1, 1.0, 10.0}) {
      const ProgramSolution s = quadratic_program({.Q = torch::eye(2, options()),
                                                   .p = vector({-1 - force, 1}),
                                                   .G = vector({1, 0, -1, 0}).view({2, 2}),
                                                   .h = vector({1, -1 + gap})});
      EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
      EXPECT_TRUE(close(s.x, row({1, -1}), 1e-12)) << gap << ", " << force;
      EXPECT_TRUE(close(s.z, row({force, 0}), 1e-12)) << gap << ", " << force;
      EXPECT_FALSE(s.stats.dual_not_unique[0]) << gap << ", " << force;
    }
  }
}

// Wide bounds say nothing of how near the solution is.
TEST(QuadraticProgram, FindsASolutionFarInsideItsBounds) {
  const Tensor p = leaf({-5e-4, 1});
  const ProgramSolution s = quadratic_program({.Q = torch::diag(vector({1, 0})),
                                               .p = p,
                                               .lower = zeros({2}),
                                               .upper = torch::full({2}, 1e6, options())});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(close(s.x, row({5e-4, 0}), 1e-15));
  EXPECT_TRUE(close(gradients(s.x.sum(), {p})[0], vector({-1, 0}), 1e-12));
  EXPECT_FALSE(s.stats.weakly_active[0]);
  const ProgramSolution tiny =
      quadratic_program({.Q = torch::ones({2, 2}, options()) + torch::eye(2, options()),
                         .p = vector({-1e-10, 0}),
                         .lower = zeros({2}),
                         .upper = torch::ones({2}, options())});
  EXPECT_TRUE(close(tiny.x / 1e-10, row({.5, 0}), 1e-12));
}

// Sides that cancel leave rounding, which is no contradiction and no unit.
TEST(QuadraticProgram, TakesSidesThatAreRounding) {
  const Tensor A = torch::ones({2, 1}, options());
  const ProgramSolution s =
      quadratic_program({.Q = torch::eye(1, options()), .p = vector({1}), .A = A, .b = vector({1e-16, 0})});
  EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(close(s.x, zeros({1, 1}), 1e-15));
  // The apex of a cone, with one side of 1e-17.
  const ProgramSolution apex = quadratic_program({.Q = torch::eye(2, options()),
                                                  .p = vector({1, 1}),
                                                  .G = vector({-1, 0, 0, -1, -1, -1}).view({3, 2}),
                                                  .h = vector({0, 1e-17, 0})});
  EXPECT_TRUE(apex.stats.optimal()) << apex.stats.full();
  EXPECT_TRUE(close(apex.x, zeros({1, 2}), 1e-15));
  const ProgramSolution apart =
      quadratic_program({.Q = torch::eye(1, options()), .p = vector({1}), .A = A, .b = vector({1e-3, 0})},
                        {.on_failure = OnFailure::Ignore});
  EXPECT_EQ(apart.stats.status[0], optim::ProgramStatus::Infeasible);
  EXPECT_TRUE(std::isnan(apart.stats.primal_residual[0]));
}

}  // namespace
}  // namespace stillpoint::test
