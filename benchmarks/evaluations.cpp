#include <string>

#include "benchmarks.h"
#include "cell.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;

namespace {

constexpr std::int64_t kWidth = 32;
constexpr std::int64_t kBatch = 8;

/// A symmetric matrix whose eigenvalues spread over [−radius, radius], both ends included.
torch::Tensor symmetric(double radius) {
  const auto basis = std::get<0>(torch::linalg_qr(torch::randn({kWidth, kWidth}, torch::kDouble)));
  const auto eigenvalues = torch::linspace(-radius, radius, kWidth, torch::kDouble);
  return torch::mm(basis * eigenvalues, basis.t());
}

torch::Tensor general(double radius) {
  const auto matrix = torch::randn({kWidth, kWidth}, torch::kDouble);
  return matrix * (radius / torch::linalg_eigvals(matrix).abs().max());
}

std::int64_t evaluations_of(const sp::FixedPointSolver& solver, const torch::Tensor& matrix,
                            const torch::Tensor& b) {
  const auto f = [&](const torch::Tensor& z) { return torch::addmm(b, z, matrix); };
  const auto stats =
      sp::fixed_point(f, torch::zeros_like(b), {.solver = solver, .max_iterations = 10'000}).stats;
  TORCH_CHECK(stats.converged(), stats.full());
  return stats.evaluations;
}

}  // namespace

void evaluations(Table& table) {
  table.heading(
      "Anderson's evaluations / Picard's, linear maps by spectral radius, double, default tolerance");
  const auto b = torch::randn({kBatch, kWidth}, torch::kDouble);
  for (const char* radius : {"0.5", "0.9", "0.99"}) {
    for (const auto& [name, make] :
         {std::pair{" symmetric ", &symmetric}, std::pair{" general ", &general}}) {
      const auto matrix = make(std::stod(radius));
      const auto anderson = evaluations_of(sp::Anderson{}, matrix, b);
      const auto picard = evaluations_of(sp::Picard{}, matrix, b);
      table.row(std::string(radius) + name + std::to_string(anderson) + " / " + std::to_string(picard),
                static_cast<double>(anderson) / static_cast<double>(picard), 1.0);
    }
  }
}
