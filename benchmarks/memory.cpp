#include "benchmarks.h"
#include "cell.h"
#include "peak_bytes.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;

namespace {

/// Peak bytes of tensors in one training step whose solver takes `iterations` steps.
std::int64_t peak_of_step(Cell& f, const sp::FixedPointSolver& solver, std::int64_t iterations) {
  const sp::FixedPointOptions options{.solver = solver,
                                      .tolerance = {.relative = 0, .absolute = 0},
                                      .max_iterations = iterations,
                                      .on_failure = sp::OnFailure::Ignore};
  f.weight.mutable_grad().reset();
  return peak_bytes([&] { sp::fixed_point(f, f.start(), options).value.sum().backward(); });
}

}  // namespace

void memory(Table& table) {
  table.heading(
      "Peak memory of a training step: bytes that 10,000 iterations need beyond 10 (width x batch)");
  Cell f{100, 100};
  f.weight.requires_grad_();
  for (const auto& [name, solver] :
       {std::pair<const char*, sp::FixedPointSolver>{"Picard", sp::Picard{}}, {"Anderson", sp::Anderson{}}}) {
    const auto few = peak_of_step(f, solver, 10);
    const auto many = peak_of_step(f, solver, 10'000);
    table.row(std::string(name) + " " + f.size(), static_cast<double>(many - few), 0);
  }
}
