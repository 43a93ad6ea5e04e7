// Programs of Maros and Mészáros's repository, beside their known objectives. The files are not part of this
// repository: STILLPOINT_QP_DIR names the directory that has them.
// (Maros, Mészáros 1999: A repository of convex quadratic programming problems.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "optim/programs.h"
#include "optim/qps_file.h"
#include "optim/sparse.h"

namespace stillpoint::test {
namespace {

using optim::ProgramSolution;

struct KnownProgram {
  const char* name;
  double objective;
};

// Which rows are inequalities, and which equalities.
Tensor inequalities(const QpsFile& file) { return (file.row_lower != file.row_upper).nonzero().flatten(); }
Tensor equalities(const QpsFile& file) { return (file.row_lower == file.row_upper).nonzero().flatten(); }

optim::QuadraticProgram program_of(const QpsFile& file) {
  const Tensor inequality = inequalities(file);
  const Tensor equality = equalities(file);
  const Tensor rows = file.rows.index_select(0, inequality);
  return {.Q = file.Q.to(device()),
          .p = file.p.to(device()),
          .G = torch::cat({rows, -rows}).to(device()),
          .h = torch::cat(
                   {file.row_upper.index_select(0, inequality), -file.row_lower.index_select(0, inequality)})
                   .to(device()),
          .A = file.rows.index_select(0, equality).to(device()),
          .b = file.row_lower.index_select(0, equality).to(device()),
          .lower = file.lower.to(device()),
          .upper = file.upper.to(device())};
}

ProgramSolution solve_file(const QpsFile& file) { return quadratic_program(program_of(file)); }

ProgramSolution solve_sparsely(const QpsFile& file) {
  optim::QuadraticProgram program = program_of(file);
  for (Tensor* part : {&program.Q, &program.G, &program.A}) *part = part->cpu().to_sparse_csr();
  for (Tensor* part : {&program.p, &program.h, &program.b, &program.lower, &program.upper})
    *part = part->cpu();
  return quadratic_program(program);
}

// A point and its multipliers in the terms of the file: one a row and one an unknown, positive at the upper
// side and negative at the lower one.
struct Multipliers {
  Tensor x, of_rows, of_bounds;

  Multipliers(const QpsFile& file, const ProgramSolution& s) {
    x = s.x[0].cpu();
    of_rows = torch::zeros_like(file.row_lower);
    const auto sides = s.z[0].cpu().chunk(2);
    of_rows.index_copy_(0, inequalities(file), sides[0] - sides[1]);
    of_rows.index_copy_(0, equalities(file), s.y[0].cpu());
    of_bounds = (s.upper[0] - s.lower[0]).cpu();
  }
};

double largest_of(const Tensor& t) { return t.numel() == 0 ? 0.0 : t.abs().max().item<double>(); }

double outside(const Tensor& x, const Tensor& lower, const Tensor& upper) {
  return std::max(largest_of((x - upper).clamp_min(0)), largest_of((lower - x).clamp_min(0)));
}

// The sum of multiplier times distance from the side at which it holds.
double complementarity(const Tensor& multiplier, const Tensor& x, const Tensor& lower, const Tensor& upper) {
  const Tensor of_upper = torch::where(multiplier > 0, multiplier * (upper - x), torch::zeros_like(x));
  const Tensor of_lower = torch::where(multiplier < 0, multiplier * (lower - x), torch::zeros_like(x));
  return (of_upper.abs() + of_lower.abs()).sum().item<double>();
}

// To rounding, as the polish promises.
void expect_optimal(const QpsFile& file, const Multipliers& at, double objective) {
  constexpr double kOptimal = 1e-12;
  const Tensor row = file.rows.mv(at.x);
  const double term = std::max(largest_of(file.rows * at.x), largest_of(at.x));
  EXPECT_LE(outside(row, file.row_lower, file.row_upper), kOptimal * (1 + term));
  EXPECT_LE(outside(at.x, file.lower, file.upper), kOptimal * (1 + term));

  const Tensor forces = torch::stack({file.Q.mv(at.x), file.p, file.rows.t().mv(at.of_rows), at.of_bounds});
  EXPECT_LE(largest_of(forces.sum(0)), kOptimal * (1 + largest_of(forces)));

  const double gap = complementarity(at.of_rows, row, file.row_lower, file.row_upper) +
                     complementarity(at.of_bounds, at.x, file.lower, file.upper);
  EXPECT_LE(gap, kOptimal * (1 + std::abs(objective)));
}

// That the solution is the one known.
void expect_known(const KnownProgram& known, const QpsFile& file, const ProgramSolution& s) {
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  const Multipliers found(file, s);
  const double objective =
      (found.x.dot(file.Q.mv(found.x)) / 2 + file.p.dot(found.x)).item<double>() + file.constant;
  EXPECT_NEAR(objective, known.objective, 1e-10 * std::abs(known.objective));
  for (const Tensor& multipliers : {s.z, s.lower, s.upper})
    EXPECT_TRUE((multipliers >= 0).all().item<bool>());
  expect_optimal(file, found, objective);
}

class MarosMeszaros : public testing::TestWithParam<KnownProgram> {};

const char* directory() { return std::getenv("STILLPOINT_QP_DIR"); }

constexpr const char* kNoFiles = "set STILLPOINT_QP_DIR to the directory of the QPS files to run this test";

QpsFile read(const KnownProgram& known) {
  return read_qps(std::filesystem::path(directory()) / (std::string(known.name) + ".QPS"));
}

TEST_P(MarosMeszaros, HasItsObjectiveAndMultipliers) {
  if (directory() == nullptr) GTEST_SKIP() << kNoFiles;
  const QpsFile file = read(GetParam());
  expect_known(GetParam(), file, solve_file(file));
}

TEST_P(MarosMeszaros, HasThemAsASparseProgram) {
  if (directory() == nullptr) GTEST_SKIP() << kNoFiles;
  if (!has_sparse_programs()) GTEST_SKIP() << "built without SuiteSparse";
  const QpsFile file = read(GetParam());
  const ProgramSolution s = solve_sparsely(file);
  expect_known(GetParam(), file, s);
  const ProgramSolution dense = solve_file(file);
  EXPECT_EQ(s.stats.weakly_active[0], dense.stats.weakly_active[0]);
  EXPECT_EQ(s.stats.dual_not_unique[0], dense.stats.dual_not_unique[0]);
  EXPECT_EQ(s.stats.primal_not_unique[0], dense.stats.primal_not_unique[0]);
}

// The repository gives eight digits. Here they are continued in 60 digits, on the active set, whose
// multipliers have the right signs.
INSTANTIATE_TEST_SUITE_P(
    Programs, MarosMeszaros,
    testing::Values(KnownProgram{"CVXQP1_S", 11590.71811942677}, KnownProgram{"DUAL1", .03501296573347734},
                    KnownProgram{"DUALC1", 6155.250829462685}, KnownProgram{"GENHS28", .927173693766391},
                    KnownProgram{"HS118", 664.82045}, KnownProgram{"HS21", -99.96},
                    KnownProgram{"HS35", 1.0 / 9}, KnownProgram{"HS35MOD", .25},
                    KnownProgram{"HS76", -4.681818181818182}, KnownProgram{"LOTSCHD", 2398.415891448896},
                    KnownProgram{"QAFIRO", -1.590781793905533}, KnownProgram{"QPTEST", 4.371875},
                    KnownProgram{"ZECEVIC2", -4.125}),
    [](const auto& program) { return std::string(program.param.name); });

}  // namespace
}  // namespace stillpoint::test
