#include <algorithm>
#include <string>
#include <vector>

#include "benchmarks.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using torch::Tensor;

namespace {

/// A batch of programs without equalities.
struct Programs {
  Tensor Q, p, G, h;

  std::string name() const {
    return "n = m = " + std::to_string(p.size(1)) + ", B " + std::to_string(p.size(0));
  }
  std::vector<Tensor> parts() const { return {Q, p, G, h}; }
  sp::optim::ProgramSolution solve() const {
    return sp::quadratic_program({.Q = Q, .p = p, .G = G, .h = h}, {.on_failure = sp::OnFailure::Ignore});
  }
  /// All but the first sample.
  Programs rest() const { return {Q.slice(0, 1), p.slice(0, 1), G.slice(0, 1), h.slice(0, 1)}; }
};

/// The programs that qpth's own profiling solves, in double: as many rows as unknowns, and a point inside.
Programs random_programs(std::int64_t batch, std::int64_t size) {
  const Tensor root = torch::rand({batch, size, size}, torch::kDouble);
  const Tensor G = torch::randn({batch, size, size}, torch::kDouble);
  const Tensor inside = torch::randn({batch, size, 1}, torch::kDouble);
  return {.Q = torch::matmul(root, root.transpose(1, 2)) + 1e-3 * torch::eye(size, torch::kDouble),
          .p = torch::randn({batch, size}, torch::kDouble),
          .G = G,
          .h = torch::matmul(G, inside).squeeze(2) + torch::rand({batch, size}, torch::kDouble)};
}

std::vector<Programs> all_programs() {
  return {random_programs(128, 100), random_programs(128, 50), random_programs(128, 10),
          random_programs(1, 100), random_programs(1, 10)};
}

double forward_milliseconds(const Programs& programs) {
  const torch::NoGradGuard no_grad;
  TORCH_CHECK(programs.solve().stats.optimal(), programs.solve().stats.full());
  const auto solve = [&] { programs.solve(); };
  std::vector<double> times;
  for (int i = 0; i < 7; ++i) times.push_back(1000 * seconds(solve, 1));
  std::nth_element(times.begin(), times.begin() + 3, times.end());
  return times[3];
}

/// The backward pass into all parts, dense ones too ÷ a solve without gradients.
double backward_ratio(const Programs& programs) {
  for (const Tensor& part : programs.parts()) part.requires_grad_();
  const Tensor x = programs.solve().x;
  const Tensor v = torch::randn_like(x);
  return time_ratio([&] { torch::autograd::grad({x}, programs.parts(), {v}, /*retain_graph=*/true); },
                    [&] {
                      const torch::NoGradGuard no_grad;
                      programs.solve();
                    });
}

/// A solve that records and its backward pass ÷ a solve without gradients.
double gradient_ratio(const Programs& programs) {
  for (const Tensor& part : programs.parts()) part.requires_grad_();
  const Tensor v = torch::randn_like(programs.p);
  return time_ratio([&] { torch::autograd::grad({programs.solve().x}, programs.parts(), {v}); },
                    [&] {
                      const torch::NoGradGuard no_grad;
                      programs.solve();
                    });
}

/// The first sample has two opposite rows, with so much between them.
Programs with_gap(const Programs& even, double gap) {
  Programs programs{even.Q, even.p, even.G.clone(), even.h.clone()};
  programs.G[0][1] = -programs.G[0][0];
  programs.h[0][1] = -programs.h[0][0] + gap;
  return programs;
}

/// The first sample's unknowns have units that reach over so many powers of ten.
Programs with_units(const Programs& even, double powers) {
  const Tensor units = torch::logspace(-powers / 2, powers / 2, even.p.size(1), 10.0, torch::kDouble);
  Programs programs{even.Q.clone(), even.p.clone(), even.G.clone(), even.h};
  programs.Q[0] *= units.unsqueeze(1) * units;
  programs.p[0] *= units;
  programs.G[0] *= units;
  return programs;
}

/// A batch whose first sample is slow ÷ the others alone.
void slow_row(Table& table, const std::string& name, const Programs& programs) {
  const torch::NoGradGuard no_grad;
  const Programs rest = programs.rest();
  const auto stats = programs.solve().stats;
  TORCH_CHECK(rest.solve().stats.optimal(), "expected all but one to be solved: ", stats.full());
  table.row(name + ", " + std::to_string(stats.iterations[0]) + " iterations",
            time_ratio([&] { programs.solve(); }, [&] { rest.solve(); }), 1.3);
}

}  // namespace

void programs(Table& table) {
  table.heading("quadratic_program on qpth's random programs, double: milliseconds");
  for (const Programs& one : all_programs()) table.row(one.name(), forward_milliseconds(one));
  table.heading("Its backward pass, into Q, p, G and h / a solve without gradients");
  for (const Programs& one : all_programs()) table.row(one.name(), backward_ratio(one), 0.10);
  table.heading("A solve that records, and its backward pass / a solve without gradients");
  for (const Programs& one : all_programs()) table.row(one.name(), gradient_ratio(one));
  table.heading("100 programs of 50 unknowns, one of them slow / the other 99 alone");
  const Programs even = random_programs(100, 50);
  slow_row(table, "infeasible", with_gap(even, -1));
  slow_row(table, "barely infeasible", with_gap(even, -1e-9));
  slow_row(table, "badly scaled", with_units(even, 6));
}
