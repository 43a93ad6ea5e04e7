// Sparse programs beside the dense ones of the same numbers, to second derivatives, and what becomes of them.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "optim/programs.h"
#include "optim/sparse.h"

namespace stillpoint::test {
namespace {

using optim::ProgramSolution;
using optim::ProgramStatus;
using optim::QuadraticProgram;

torch::TensorOptions numbers() { return torch::dtype(torch::kDouble); }

// A matrix of which some entries are not zero, in both forms; each is a function of the values.
struct Matrix {
  Tensor row, column, row_starts, values;
  std::int64_t rows, columns;

  Matrix(const Tensor& full, bool requires_grad = false)
      : values(full.index({full != 0}).clone().requires_grad_(requires_grad)),
        rows(full.size(0)),
        columns(full.size(1)) {
    const Tensor place = (full != 0).nonzero();
    row = place.select(1, 0).contiguous();
    column = place.select(1, 1).contiguous();
    row_starts = torch::cat({torch::zeros({1}, torch::kLong), (full != 0).sum(1).cumsum(0)});
  }
  Tensor sparse() const { return optim::sparse_matrix(row_starts, column, values, rows, columns); }
  Tensor dense() const { return torch::zeros({rows, columns}, numbers()).index_put({row, column}, values); }
};

Tensor thinned(const Tensor& full, double share) {
  return full * (torch::rand(full.sizes(), numbers()) < share).to(torch::kDouble);
}

// Rows of either side and bounds, some of them infinite, and a Q whose halves differ.
struct RandomProgram {
  Matrix Q, G, A;
  Tensor p, h, b, lower, upper;

  explicit RandomProgram(std::int64_t n)
      : Q(quadratic(n), true),
        G(thinned(torch::randn({n, n}, numbers()), .2), true),
        A(torch::eye(n, numbers()).narrow(0, 0, 2) + thinned(torch::randn({2, n}, numbers()), .5), true) {
    const Tensor inside = torch::rand({n}, numbers()) - .5;
    p = 2 * torch::randn({n}, numbers());
    h = G.dense().mv(inside).detach() + torch::rand({n}, numbers());
    h.narrow(0, 0, 1).fill_(kInfinity);
    b = A.dense().mv(inside).detach();
    lower = torch::full({n}, -.8, numbers());
    upper = torch::full({n}, .7, numbers());
    upper.narrow(0, 0, 2).fill_(kInfinity);
    for (const Tensor& t : {p, h, b, lower, upper}) t.requires_grad_();
  }
  static Tensor quadratic(std::int64_t n) {
    const Tensor root = thinned(torch::randn({n, n}, numbers()), .2);
    const Tensor lopsided = torch::zeros({n, n}, numbers());
    lopsided[0][1] = .2;
    return root.mm(root.t()) + .1 * torch::eye(n, numbers()) + lopsided;
  }
  QuadraticProgram sparse() const { return {Q.sparse(), p, G.sparse(), h, A.sparse(), b, lower, upper}; }
  QuadraticProgram dense() const { return {Q.dense(), p, G.dense(), h, A.dense(), b, lower, upper}; }
  std::vector<Tensor> leaves() const { return {Q.values, p, G.values, h, A.values, b, lower, upper}; }
};

void expect_same(const ProgramSolution& got, const ProgramSolution& expected, double tolerance) {
  EXPECT_TRUE(close(got.x, expected.x, tolerance)) << "x";
  EXPECT_TRUE(close(got.z, expected.z, tolerance)) << "z";
  EXPECT_TRUE(close(got.y, expected.y, tolerance)) << "y";
  EXPECT_TRUE(close(got.lower, expected.lower, tolerance)) << "lower";
  EXPECT_TRUE(close(got.upper, expected.upper, tolerance)) << "upper";
  const auto finite = [](const Tensor& t) { return t.masked_fill(t.isinf(), 0); };
  EXPECT_TRUE(close(finite(got.slack), finite(expected.slack), tolerance)) << "slack";
}

class SparseProgram : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(3);
    if (!has_sparse_programs()) GTEST_SKIP() << "built without SuiteSparse";
  }
};

TEST_F(SparseProgram, HasTheSolutionOfTheDenseOne) {
  for (int i = 0; i < 20; ++i) {
    const RandomProgram program(4 + 2 * i);
    const ProgramSolution sparse = quadratic_program(program.sparse());
    ASSERT_TRUE(sparse.stats.optimal()) << sparse.stats.full();
    expect_same(sparse, quadratic_program(program.dense()), 1e-10);
    EXPECT_FALSE(sparse.stats.dual_not_unique.any() || sparse.stats.primal_not_unique.any());
  }
}

// The derivatives of a number of all that is returned, and those of a number of these.
TEST_F(SparseProgram, HasTheDerivativesOfTheDenseOne) {
  for (int i = 0; i < 5; ++i) {
    const RandomProgram program(6 + 3 * i);
    const std::vector<Tensor> leaves = program.leaves();
    const std::int64_t n = program.p.size(0);
    const Tensor weight = torch::randn({5, n}, numbers());
    std::vector<Tensor> along;
    for (const Tensor& leaf : leaves) along.push_back(torch::randn(leaf.sizes(), numbers()));
    along[3][0] = 0;  // where the side is infinite
    const auto derivatives = [&](const QuadraticProgram& of) {
      const ProgramSolution s = quadratic_program(of);
      const Tensor value =
          (weight[0] * s.x.sin() + weight[1] * s.z + weight[2] * s.lower + weight[3] * s.upper).sum() +
          (weight[4].narrow(0, 0, 2) * s.y).sum();
      std::vector<Tensor> result = gradients(value, leaves, true);
      Tensor next = torch::zeros({}, numbers());
      for (std::size_t k = 0; k < leaves.size(); ++k) next = next + (along[k] * result[k]).sum();
      for (const Tensor& t : gradients(next, leaves)) result.push_back(t);
      return result;
    };
    const auto got = derivatives(program.sparse());
    const auto expected = derivatives(program.dense());
    for (std::size_t k = 0; k < got.size(); ++k) EXPECT_TRUE(close(got[k], expected[k], 1e-8)) << k;
  }
}

TEST_F(SparseProgram, GivesASparseLeafAGradientOfItsPattern) {
  const RandomProgram program(8);
  QuadraticProgram parts = program.sparse();
  parts.G = parts.G.detach().requires_grad_();
  const Tensor of_matrix = gradients(quadratic_program(parts).x.square().sum(), {parts.G})[0];
  const Tensor expected =
      gradients(quadratic_program(program.dense()).x.square().sum(), {program.G.values})[0];
  ASSERT_EQ(of_matrix.layout(), torch::kSparseCsr);
  EXPECT_TRUE(torch::equal(of_matrix.col_indices(), program.G.column));
  EXPECT_TRUE(close(optim::sparse_values(of_matrix), expected, 1e-10));
}

TEST_F(SparseProgram, IsALinearProgramWithoutQ) {
  const Matrix rows(torch::tensor({{1., 1.}, {1., 3.}}, numbers()), true);
  const Tensor h = vector({4, 6}).cpu().requires_grad_();
  const auto s = quadratic_program(
      {.p = vector({-3, -5}).cpu(), .G = rows.sparse(), .h = h, .lower = torch::zeros({2}, numbers())});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(close(s.x, row({3, 1}).cpu(), 1e-12));
  EXPECT_TRUE(close(s.z, row({2, 1}).cpu(), 1e-12));
  EXPECT_TRUE(close(gradients((3 * s.x.select(1, 0) + 5 * s.x.select(1, 1)).sum(), {h})[0],
                    vector({2, 1}).cpu(), 1e-12));
}

TEST_F(SparseProgram, SaysWhatHasNoSolution) {
  const Matrix unit(torch::eye(2, numbers()));
  const Matrix both(torch::tensor({{1., 1.}, {-1., -1.}}, numbers()));
  const QuadraticProgramOptions quiet{.on_failure = OnFailure::Ignore};
  const auto infeasible =
      quadratic_program({.Q = unit.sparse(), .G = both.sparse(), .h = vector({-1, -1}).cpu()}, quiet);
  EXPECT_EQ(infeasible.stats.status[0], ProgramStatus::Infeasible);
  EXPECT_TRUE(infeasible.x.isnan().all().item<bool>());
  EXPECT_TRUE(close(infeasible.certificate.z, row({.5, .5}).cpu(), 1e-8));
  const auto unbounded = quadratic_program({.p = vector({-1, 0}).cpu(),
                                            .G = unit.sparse(),
                                            .h = vector({kInfinity, 1}).cpu(),
                                            .lower = torch::zeros({2}, numbers())},
                                           quiet);
  EXPECT_EQ(unbounded.stats.status[0], ProgramStatus::Unbounded);
  EXPECT_NEAR(unbounded.ray[0][0].item<double>(), 1.0, 1e-8);
  const Matrix saddle(torch::tensor({{1., 2.}, {2., 1.}}, numbers()));
  EXPECT_EQ(quadratic_program({.Q = saddle.sparse()}, quiet).stats.status[0], ProgramStatus::NotConvex);
  const Matrix nan(torch::tensor({{std::nan(""), 0.}, {0., 1.}}, numbers()));
  EXPECT_EQ(quadratic_program({.Q = nan.sparse()}, quiet).stats.status[0], ProgramStatus::NotFinite);
  const auto contradiction =
      quadratic_program({.Q = unit.sparse(), .A = both.sparse(), .b = vector({1, 1}).cpu()}, quiet);
  EXPECT_EQ(contradiction.stats.status[0], ProgramStatus::Infeasible);
}

// The same row twice: the duals are those of least norm, as are their derivatives.
TEST_F(SparseProgram, FlagsWhatIsNotUnique) {
  const Tensor p = vector({-3, 0}).cpu().requires_grad_();
  const Matrix unit(torch::eye(2, numbers()));
  const Matrix twice(torch::tensor({{1., 0.}, {1., 0.}}, numbers()));
  const auto s =
      quadratic_program({.Q = unit.sparse(), .p = p, .A = twice.sparse(), .b = vector({1, 1}).cpu()});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_TRUE(s.stats.dual_not_unique[0]);
  EXPECT_TRUE(close(s.x, row({1, 0}).cpu(), 1e-12));
  EXPECT_TRUE(close(s.y, row({1, 1}).cpu(), 1e-12));
  EXPECT_TRUE(close(gradients(s.y.sum() + s.x.sum(), {p})[0], vector({-1, -1}).cpu(), 1e-8));

  const Matrix line(torch::tensor({{1., 1.}, {1., 1.}}, numbers()));
  const auto many = quadratic_program({.Q = line.sparse(), .p = vector({-1, -1}).cpu()});
  ASSERT_TRUE(many.stats.optimal());
  EXPECT_TRUE(many.stats.primal_not_unique[0]);
}

// Small integers, so that there are ties: dependent rows, degenerate vertices, a Q of any rank. Duals that
// are not unique may differ.
TEST_F(SparseProgram, AgreesWithTheDenseOneWhereRowsAreDependent) {
  const QuadraticProgramOptions quiet{.on_failure = OnFailure::Ignore};
  const auto integers = [](std::int64_t low, std::int64_t high, torch::IntArrayRef shape) {
    return torch::randint(low, high + 1, shape, numbers());
  };
  int dependent = 0;
  for (int i = 0; i < 60; ++i) {
    const std::int64_t n = 3 + i % 12;
    const std::int64_t m = 2 + i % 17;
    const Tensor root = i % 4 == 0 ? torch::zeros({n, 1}, numbers()) : integers(-1, 1, {n, n / 2 + 1});
    const Tensor inside = integers(-1, 1, {n});
    const Tensor p = integers(-3, 3, {n}).requires_grad_();
    const Tensor A = integers(-1, 1, {i % 3, n});
    const Tensor G = integers(-2, 2, {m, n});
    QuadraticProgram program{.Q = root.mm(root.t()),
                             .p = p,
                             .G = G,
                             .h = G.mv(inside) + integers(0, 1, {m}),
                             .A = A,
                             .b = A.mv(inside),
                             .lower = torch::full({n}, -2, numbers()),
                             .upper = torch::full({n}, 2, numbers())};
    const ProgramSolution expected = quadratic_program(program, quiet);
    const Tensor Q = program.Q;
    for (Tensor* part : {&program.Q, &program.G, &program.A}) *part = part->to_sparse_csr();
    const ProgramSolution got = quadratic_program(program, quiet);
    ASSERT_TRUE(expected.stats.optimal() && got.stats.optimal()) << i;
    const auto objective = [&](const Tensor& x) { return (x.dot(Q.mv(x)) / 2 + p.dot(x)).item<double>(); };
    EXPECT_NEAR(objective(got.x[0]), objective(expected.x[0]), 1e-10) << i;
    EXPECT_EQ(got.stats.primal_not_unique[0], expected.stats.primal_not_unique[0]) << i;
    EXPECT_EQ(got.stats.dual_not_unique[0], expected.stats.dual_not_unique[0]) << i;
    dependent += got.stats.dual_not_unique[0] ? 1 : 0;
    if (got.stats.primal_not_unique[0]) continue;
    EXPECT_TRUE(close(got.x, expected.x, 1e-10)) << i;
    EXPECT_TRUE(close(gradients(got.x.sum(), {p})[0], gradients(expected.x.sum(), {p})[0], 1e-7)) << i;
  }
  EXPECT_GT(dependent, 5);
}

TEST_F(SparseProgram, TakesIndicesOf32Bits) {
  const Matrix unit(2 * torch::eye(2, numbers()));
  const Tensor Q =
      optim::sparse_matrix(unit.row_starts.to(torch::kInt), unit.column.to(torch::kInt), unit.values, 2, 2);
  EXPECT_TRUE(close(quadratic_program({.Q = Q, .p = vector({-2, 4}).cpu()}).x, row({1, -2}).cpu(), 1e-14));
}

TEST_F(SparseProgram, BeginsAtASolution) {
  const RandomProgram program(20);
  const auto first = quadratic_program(program.sparse());
  ASSERT_GT(first.stats.iterations[0], 0);
  const auto again = quadratic_program(program.sparse(), {.warm_start = first});
  EXPECT_EQ(again.stats.iterations[0], 0);
  expect_same(again, first, 1e-12);
}

// An elastic string between obstacles: dense, it would take 3 GB for each matrix.
TEST_F(SparseProgram, MayBeLarge) {
  constexpr std::int64_t n = 20000;
  const Tensor index = torch::arange(n);
  const Tensor first = torch::clamp_min(index - 1, 0);
  const Tensor counts = 3 - (index == 0).to(torch::kLong) - (index == n - 1).to(torch::kLong);
  const Tensor starts = torch::cat({torch::zeros({1}, torch::kLong), counts.cumsum(0)});
  const Tensor row = torch::repeat_interleave(counts);
  const Tensor column = torch::arange(row.size(0)) - starts.index_select(0, row) + first.index_select(0, row);
  const Tensor values =
      torch::where(row == column, torch::full_like(row, 2, numbers()), -torch::ones_like(row, numbers()))
          .requires_grad_();
  const Tensor p = (torch::arange(n, numbers()) / 50).sin() / 100;
  const auto began = std::chrono::steady_clock::now();
  const auto s = quadratic_program({.Q = optim::sparse_matrix(starts, column, values, n, n),
                                    .p = p,
                                    .lower = torch::full({n}, -1, numbers()),
                                    .upper = torch::full({n}, 1, numbers())});
  ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
  const Tensor slope = gradients(s.x.square().sum(), {values})[0];
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  RecordProperty("seconds", std::to_string(seconds.count()));
  RecordProperty("iterations", std::to_string(s.stats.iterations[0]));
  const std::int64_t active = (s.lower + s.upper > 0).sum().item<std::int64_t>();
  EXPECT_GT(active, n / 10);
  EXPECT_LT(active, n);
  EXPECT_TRUE(torch::isfinite(slope).all().item<bool>());
  EXPECT_LT(seconds.count(), 30.0);
}

TEST_F(SparseProgram, NamesWhatItDoesNotTake) {
  const Tensor eye = torch::eye(2, numbers());
  const Tensor Q = Matrix(eye).sparse();
  const Tensor p = vector({1, 2}).cpu();
  const auto solve = [](const QuadraticProgram& program) { return quadratic_program(program); };
  expect_error([&] { solve({.Q = eye.to_sparse(), .p = p}); }, "Q: expected a sparse CSR tensor");
  expect_error([&] { solve({.Q = Q, .p = p, .G = eye, .h = p}); }, "G: expected a sparse CSR tensor");
  expect_error([&] { solve({.Q = Q, .p = p.view({1, 2})}); }, "p: expected a dense tensor with 1 dimension");
  expect_error([&] { solve({.Q = Q, .p = p, .A = Q, .b = vector({1}).cpu()}); }, "b: expected 2 numbers");
  expect_error([&] { solve({.Q = Q, .p = vector({1}).cpu()}); }, "p: expected 2 columns");
  expect_error([&] { solve({.Q = eye.to(torch::kFloat).to_sparse_csr()}); },
               "Q: expected a sparse matrix in double");
  expect_error([&] { quadratic_program({.Q = Q, .p = p}, {.smoothing = optim::Ridge{.1}}); }, "smoothing");
  expect_error(
      [&] { quadratic_program({.Q = Q, .p = p}, {.on_infeasible = optim::OnInfeasible::ClosestFeasible}); },
      "on_infeasible");
  expect_error([&] { optim::sparse_values(eye); }, "matrix: expected a sparse CSR tensor");
}

}  // namespace
}  // namespace stillpoint::test
