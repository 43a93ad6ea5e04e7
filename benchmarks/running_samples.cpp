#include "benchmarks.h"
#include "cell.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;

namespace {

constexpr std::int64_t kSamples = 100;
constexpr std::int64_t kSize = 256;

/// A batch in which one sample in ten contracts by 0.99 a step and the others by 0.5.
struct Mixed {
  torch::Tensor weight = Cell::contraction(kSize);
  torch::Tensor rate =
      torch::where(torch::arange(kSamples).remainder(10) == 0, 0.99, 0.5).to(torch::kFloat).unsqueeze(1);
  torch::Tensor x = 0.1 * torch::randn({kSamples, kSize});

  torch::Tensor f(const torch::Tensor& z, const torch::Tensor& input, const torch::Tensor& factor) const {
    return torch::tanh(input + factor * torch::mm(z, weight));
  }
};

void measure(Table& table, const sp::FixedPointSolver& solver) {
  const torch::NoGradGuard no_grad;
  const Mixed batch;
  const sp::FixedPointOptions options{.solver = solver, .max_iterations = 1000};
  const auto start = torch::zeros({kSamples, kSize});
  const auto whole = [&] {
    return sp::fixed_point([&](const torch::Tensor& z) { return batch.f(z, batch.x, batch.rate); }, start,
                           options)
        .stats;
  };
  const auto running = [&] {
    const auto f = [&](const torch::Tensor& z, const std::vector<torch::Tensor>& inputs) {
      return batch.f(z, inputs[0], inputs[1]);
    };
    return sp::fixed_point({f, {batch.x, batch.rate}}, start, options).stats;
  };
  const auto evaluated = [](const sp::Stats& stats) { return static_cast<double>(stats.sample_evaluations); };
  table.row(solver.name() + ", evaluations a sample", evaluated(running()) / evaluated(whole()), 1.0);
  table.row(solver.name() + ", time", time_ratio(running, whole), 1.0);
}

}  // namespace

void running_samples(Table& table) {
  table.heading("Finished samples left out / the whole batch, one sample in ten slow (256 x 100)");
  measure(table, sp::Picard{});
  measure(table, sp::Anderson{});
  measure(table, sp::Broyden{});
}
