// Every solver of least squares on NIST's problems of nonlinear regression, from both starts, as a Markdown
// table: how many digits of the certified parameters come out, and in how many evaluations, or how it ended.
//   OPENBLAS_NUM_THREADS=1 STILLPOINT_NIST_DIR=… build/benchmarks/stillpoint_regression

#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "stillpoint/stillpoint.h"
#include "support/nist.h"

namespace sp = stillpoint;
using sp::test::NistProblem;

namespace {

/// Digits and evaluations of a solve that converged, else how it ended.
std::string cell(const NistProblem& problem, const torch::Tensor& start,
                 const sp::LeastSquaresSolver& solver) {
  const torch::NoGradGuard no_grad;
  const auto [b, stats] = sp::least_squares([&](const torch::Tensor& x) { return problem.residual(x); },
                                            start, {.solver = solver, .on_failure = sp::OnFailure::Ignore});
  const double digits = sp::test::agreeing_digits(b, problem.certified);
  const double sum = problem.residual(b).square().sum().item<double>();
  const bool same_sum = std::abs(sum / problem.sum_of_squares - 1) < 1e-6;
  if (stats.converged() && digits < 4) return same_sum ? "mirrored" : "another minimum";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f in %d", digits, static_cast<int>(stats.evaluations));
  if (stats.converged()) return text;
  return std::string(sp::to_string(stats.status[0])) + (digits > 4 ? std::string(", ") + text : "");
}

}  // namespace

int main() {
  torch::set_num_threads(1);
  const auto directory = sp::test::nist_directory();
  if (directory.empty()) {
    std::fprintf(stderr, "set STILLPOINT_NIST_DIR to the directory of NIST's files\n");
    return 2;
  }
  const std::vector<sp::LeastSquaresSolver> solvers{sp::optim::LevenbergMarquardt{}, sp::optim::Dogleg{},
                                                    sp::optim::GaussNewton{}};
  std::string head = "| Problem | Start |";
  std::string rule = "|---|---|";
  for (const auto& solver : solvers) {
    head += " " + solver.name() + " |";
    rule += "---|";
  }
  std::printf("%s\n%s\n", head.c_str(), rule.c_str());
  for (const std::string& name : sp::test::nist_names()) {
    if (!std::filesystem::exists(directory / (name + ".dat"))) continue;
    const NistProblem problem = sp::test::read_nist(directory, name);
    for (std::size_t i = 0; i < problem.starts.size(); ++i) {
      std::printf("| %s | %d |", name.c_str(), static_cast<int>(i + 1));
      for (const auto& solver : solvers)
        std::printf(" %s |", cell(problem, problem.starts[i], solver).c_str());
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}
