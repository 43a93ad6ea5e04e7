#include "stillpoint/optim/projections/birkhoff_polytope.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "optim/projections/arguments.h"
#include "optim/projections/onto_simplex.h"
#include "stillpoint/core/mask.h"

namespace stillpoint {
namespace {

/// x = y − rows − columns where that is positive, else 0: potentials `[B, n, 1]` and `[B, 1, n]`.
struct Potentials {
  at::Tensor rows;
  at::Tensor columns;

  at::Tensor below(const at::Tensor& y) const { return y - rows - columns; }
};

// What has to be taken off each row, for its positive part to have the sum 1.
at::Tensor row_excess(const at::Tensor& y) {
  const at::Tensor flat = y.flatten(0, 1);
  const at::Tensor x = detail::onto_simplex(flat, at::ones({1, 1}, y.options()));
  return (flat.amax(1) - x.amax(1)).view({y.size(0), y.size(1), 1});
}

Potentials sweep(const at::Tensor& y, const at::Tensor& columns) {
  const at::Tensor rows = row_excess(y - columns);
  return {rows, row_excess((y - rows).transpose(1, 2).contiguous()).transpose(1, 2)};
}

// The potentials moved so that rows and columns of y have the sum 1, counting only the entries of the
// support: of all such moves the smallest, since parts of the support that share no row or column may move
// against each other.
Potentials balanced(const at::Tensor& y, const Potentials& now, const at::Tensor& support) {
  const std::int64_t n = y.size(1);
  const at::Tensor counted = support.to(y.scalar_type());
  const at::Tensor across = at::cat({at::diag_embed(counted.sum(2)), counted}, 2);
  const at::Tensor down = at::cat({counted.transpose(1, 2), at::diag_embed(counted.sum(1))}, 2);
  const at::Tensor kept = now.below(y) * counted;
  const at::Tensor excess = at::cat({kept.sum(2), kept.sum(1)}, 1) - 1.0;
  const double rank_tolerance = 2.0 * static_cast<double>(n) * detail::machine_epsilon(y.scalar_type());
  const at::Tensor inverse = at::linalg_pinv(at::cat({across, down}, 1), rank_tolerance, /*hermitian=*/true);
  const at::Tensor both = at::bmm(inverse, excess.unsqueeze(2));
  return {now.rows + both.narrow(1, 0, n), now.columns + both.narrow(1, n, n).transpose(1, 2)};
}

// The largest deviation of a sum from 1, `[B]`.
at::Tensor imbalance(const at::Tensor& y, const Potentials& now) {
  const at::Tensor x = now.below(y).clamp_min(0.0);
  return at::maximum((x.sum(2) - 1.0).abs().amax(1), (x.sum(1) - 1.0).abs().amax(1));
}

Potentials choose(const Mask& mark, const Potentials& chosen, const Potentials& other) {
  return {detail::select_rows(mark, chosen.rows, other.rows),
          detail::select_rows(mark, chosen.columns, other.columns)};
}

struct Search {
  Potentials now;
  std::vector<double> imbalance;
  std::vector<std::int64_t> iterations;
  Mask done;
};

// Sweeps, which always get nearer, and Newton's steps where they at least halve the imbalance. A sample tries
// one after 1, 2, 4, … sweeps, and again after each that succeeds. One that is balanced is left alone.
Search find_potentials(const at::Tensor& y, std::int64_t max_iterations) {
  const std::int64_t batch = y.size(0);
  const double rounding = 10.0 * static_cast<double>(y.size(1)) * detail::machine_epsilon(at::kDouble);
  const std::vector<double> allowed = detail::to_host(rounding * (y.abs().amax({1, 2}) + 1.0));
  Search search{
      {at::zeros({batch, y.size(1), 1}, y.options()), at::zeros({batch, 1, y.size(1)}, y.options())},
      std::vector<double>(batch, 1.0),
      std::vector<std::int64_t>(batch, 0),
      Mask(batch)};
  std::vector<std::int64_t> next_try(batch, 1);
  for (std::int64_t i = 1; i <= max_iterations && !search.done.all(); ++i) {
    search.now = choose(search.done, search.now, sweep(y, search.now.columns));
    Mask tries(batch);
    for (std::int64_t b = 0; b < batch; ++b) tries[b] = !search.done[b] && (i >= next_try[b]);
    if (!tries.any() && i < max_iterations) continue;
    const Potentials step = balanced(y, search.now, search.now.below(y) > 0.0);
    const std::vector<double> before = detail::to_host(imbalance(y, search.now));
    const std::vector<double> after = detail::to_host(imbalance(y, step));
    for (std::int64_t b = 0; b < batch; ++b) {
      if (search.done[b]) continue;
      const bool better = tries[b] && after[b] <= 0.5 * before[b];
      if (tries[b]) next_try[b] = better ? i + 1 : 2 * i;
      tries[b] = better;
      search.imbalance[b] = better ? after[b] : before[b];
      search.iterations[b] = i;
      search.done[b] = search.imbalance[b] <= allowed[b];
    }
    search.now = choose(tries, step, search.now);
  }
  return search;
}

Stats report(const Search& search, const at::Tensor& finite) {
  Stats stats;
  stats.method = "Birkhoff";
  stats.residual = search.imbalance;
  stats.iterations = search.iterations;
  const std::vector<double> usable = detail::to_host(finite);
  for (std::size_t b = 0; b < usable.size(); ++b) {
    const Status status = search.done[b] ? Status::Converged : Status::MaxIterations;
    stats.status.push_back(usable[b] != 0.0 ? status : Status::NonFinite);
  }
  stats.advice = [](Status status) {
    return status == Status::NonFinite ? "look for NaN or infinity in y"
                                       : "allow more iterations, or scale y down, which needs fewer";
  };
  return stats;
}

}  // namespace

Solution<at::Tensor> optim::project_birkhoff_polytope(const at::Tensor& y, const BirkhoffOptions& options) {
  detail::check_rows("y", y, 3);
  TORCH_CHECK(y.size(1) == y.size(2), "y: expected [B, n, n], got shape ", y.sizes());
  TORCH_CHECK(options.max_iterations >= 0, "max_iterations: expected ≥ 0, got ", options.max_iterations);
  const at::Tensor finite = at::isfinite(y).flatten(1).all(1);
  // LAPACK gives up a whole batch for one matrix that is not finite.
  const at::Tensor usable = y.masked_fill(finite.logical_not().view({-1, 1, 1}), 0.0).contiguous();
  Search search;
  Potentials now;
  at::Tensor support;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor wide = usable.to(at::kDouble);
    search = find_potentials(wide, options.max_iterations);
    // What is positive by rounding alone is at its bound.
    const at::Tensor rounding = static_cast<double>(y.size(1)) * detail::machine_epsilon(y.scalar_type()) *
                                (wide.abs().amax({1, 2}, /*keepdim=*/true) + 1.0);
    support = search.now.below(wide) > rounding;
    now = {search.now.rows.to(y.scalar_type()), search.now.columns.to(y.scalar_type())};
  }
  const at::Tensor x = balanced(usable, now, support).below(usable).clamp_min(0.0) * support;
  Solution<at::Tensor> solution{detail::where_exists(finite.view({-1, 1, 1}), x), report(search, finite)};
  report_failure(solution.stats, options.on_failure);
  return solution;
}

}  // namespace stillpoint
