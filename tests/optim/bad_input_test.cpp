// Misuse of quadratic_program names the part; programs without rows or samples are solved.
#include <gtest/gtest.h>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::ProgramStatus;

TEST(QuadraticProgramMisuse, NamesThePart) {
  const Tensor Q = torch::eye(2, options());
  const Tensor p = vector({1, 2});
  const auto solve = [](const optim::QuadraticProgram& program) { return quadratic_program(program); };
  expect_error([&] { solve({}); }, "program: expected at least one part");
  expect_error([&] { solve({.Q = Q.narrow(0, 0, 1), .p = p}); }, "Q: expected square");
  expect_error([&] { solve({.Q = Q, .p = vector({1})}); }, "p: expected 2 columns");
  expect_error([&] { solve({.Q = Q, .p = p.view({1, 1, 2})}); }, "p: expected 1 dimensions");
  expect_error([&] { solve({.Q = Q, .p = p.to(torch::kFloat)}); }, "p: expected Double");
  expect_error([&] { solve({.Q = Q.to(torch::kLong)}); }, "Q: expected float or double");
  expect_error([&] { solve({.p = p, .G = Q}); }, "h: expected it with G");
  expect_error([&] { solve({.p = p, .b = p}); }, "A: expected it with b");
  expect_error([&] { solve({.p = p, .A = Q, .b = vector({1})}); }, "b: expected 2 numbers");
  expect_error(
      [&] {
        solve({.Q = Q.expand({3, 2, 2}), .p = p.expand({2, 2})});
      },
      "p: expected the batch of 3");
  expect_error([&] { quadratic_program({.Q = Q}, {.tolerance = 0}); }, "tolerance");
  expect_error([&] { quadratic_program({.Q = Q}, {.solver = {.max_iterations = 0}}); },
               "solver.max_iterations");
  expect_error([&] { quadratic_program({.Q = -Q}, {.on_failure = OnFailure::Throw}); },
               "negative eigenvalue");
}

TEST(QuadraticProgram, NeedsNoRowsAndNoSamples) {
  const Tensor Q = torch::eye(2, options());
  const Tensor p = vector({1, 2}).requires_grad_(true);
  const auto s = quadratic_program({.Q = 2 * Q, .p = p});
  EXPECT_TRUE(close(s.x, row({-.5, -1}), 1e-14));
  EXPECT_EQ(s.z.sizes(), at::IntArrayRef({1, 0}));
  EXPECT_TRUE(close(gradients(s.x.sum(), {p})[0], vector({-.5, -.5}), 1e-14));
  const Tensor none = zeros({0, 2}).requires_grad_(true);
  const auto empty = quadratic_program({.Q = Q, .p = none, .G = Q, .h = vector({1, 1})});
  EXPECT_EQ(empty.x.sizes(), at::IntArrayRef({0, 2}));
  EXPECT_TRUE(empty.stats.optimal());
  EXPECT_EQ(gradients(empty.x.sum(), {none})[0].sizes(), none.sizes());
}

}  // namespace
}  // namespace stillpoint::test
