// Programs that fail, in every way, beside ones that are solved.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::ProgramSolution;
using optim::ProgramStatus;
using optim::QuadraticProgram;

constexpr std::int64_t kUnknowns = 5;
constexpr std::int64_t kRows = 7;

struct ProgramRows {
  Tensor Q, p, G, h, lower, upper;

  explicit ProgramRows(std::int64_t batch) {
    const Tensor root = normal({batch, kUnknowns, kUnknowns});
    Q = root.matmul(root.transpose(1, 2)) + .1 * torch::eye(kUnknowns, options());
    p = 3 * normal({batch, kUnknowns});
    G = normal({batch, kRows, kUnknowns});
    h = torch::rand({batch, kRows}, torch::kDouble).to(options()) + .1;
    lower = torch::full({batch, kUnknowns}, -1.0, options());
    upper = torch::full({batch, kUnknowns}, 2.0, options());
  }
  std::vector<Tensor> parts() const { return {Q, p, G, h, lower, upper}; }
  QuadraticProgram program() const {
    return {.Q = Q, .p = p, .G = G, .h = h, .lower = lower, .upper = upper};
  }
};

constexpr QuadraticProgramOptions kFewSteps{.solver = {.max_iterations = 30},
                                            .on_failure = OnFailure::Ignore};

// Spoils the samples with an even number, so that each good one has bad neighbors.
std::vector<ProgramStatus> spoil(ProgramRows& rows) {
  rows.G[0][1] = -rows.G[0][0];
  rows.h[0][1] = -rows.h[0][0] - 1;

  rows.Q[2].zero_();
  rows.G[2].zero_();
  rows.p[2].fill_(-1);
  rows.upper[2].fill_(kInfinity);

  rows.Q[4][1][1] = -1;
  rows.p[6][2] = std::nan("");
  rows.lower[8][0] = kInfinity;

  // Infeasible by so little that no certificate is found in these iterations.
  rows.G[10][1] = -rows.G[10][0];
  rows.h[10][1] = -rows.h[10][0] - 1e-7;

  // A solution whose objective is larger than any double.
  rows.G[12].zero_();
  rows.p[12] *= 1e300;
  rows.lower[12].fill_(-kInfinity);
  rows.upper[12].fill_(kInfinity);
  return {ProgramStatus::Infeasible, ProgramStatus::Unbounded, ProgramStatus::NotConvex,
          ProgramStatus::NotFinite,  ProgramStatus::NotFinite, ProgramStatus::IterationLimit,
          ProgramStatus::Inaccurate};
}

// Everything that a program returns, and its first and second derivatives in all data, of the good samples.
std::vector<Tensor> good_results(const ProgramRows& rows, const Tensor& good) {
  const auto parts = rows.parts();
  for (const Tensor& part : parts) part.requires_grad_();
  const ProgramSolution s = quadratic_program(rows.program(), kFewSteps);
  EXPECT_TRUE((s.z.index_select(0, good) > 0).any().item<bool>());
  Tensor number = zeros({});
  std::vector<Tensor> all = {s.x, s.z, s.lower, s.upper, s.slack};
  for (const Tensor& output : std::vector<Tensor>(all)) number = number + output.square().sum();
  const auto first = gradients(number, parts, true);
  Tensor of_first = zeros({});
  for (const Tensor& g : first) of_first = of_first + g.index_select(0, good).square().sum();
  const auto second = gradients(of_first, parts);
  all.insert(all.end(), first.begin(), first.end());
  all.insert(all.end(), second.begin(), second.end());
  for (Tensor& result : all) result = result.detach().index_select(0, good);
  return all;
}

TEST(QuadraticProgram, KeepsItsBitsBesideEveryKindOfFailure) {
  torch::manual_seed(7);
  constexpr std::int64_t batch = 15;
  const ProgramRows good(batch);
  ProgramRows bad = good;
  for (Tensor* part : {&bad.Q, &bad.p, &bad.G, &bad.h, &bad.lower, &bad.upper}) *part = part->clone();
  const auto expected = spoil(bad);
  const auto stats = quadratic_program(bad.program(), kFewSteps).stats;
  for (std::int64_t i = 0; i < batch; ++i) {
    const bool spoiled = i % 2 == 0 && i / 2 < static_cast<std::int64_t>(expected.size());
    EXPECT_EQ(stats.status[i], spoiled ? expected[i / 2] : ProgramStatus::Optimal)
        << i << ": " << optim::to_string(stats.status[i]);
  }
  const Tensor samples = torch::arange(1, batch, 2).to(device());
  const auto alone = good_results(good, samples);
  const auto beside = good_results(bad, samples);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_TRUE(alone[i].isnan().logical_not().all().item<bool>()) << i;
    EXPECT_TRUE(identical(beside[i], alone[i])) << i;
  }
}

}  // namespace
}  // namespace stillpoint::test
