#include "optim/projections/grid_blocks.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "core/dtype.h"

namespace stillpoint::detail {

GridFit::GridFit(const double* y, std::int64_t height, std::int64_t width, double limit)
    : flow(y, height, width, limit) {
  std::vector<GridFlow::Pixels> open = {flow.pixels()};
  while (!open.empty()) {
    GridFlow::Pixels region = std::move(open.back());
    open.pop_back();
    if (flow.level(region, flow.mean(region)) > flow.rounding(region.size())) {
      std::vector<GridFlow::Pixels> parts = flow.cut(region);
      if (parts.size() > 1) {
        std::move(parts.begin(), parts.end(), std::back_inserter(open));
        continue;
      }
    }
    blocks.push_back(std::move(region));
  }
}

namespace {

// One grid, and where its form is to be written.
struct Grid {
  const double* y;
  std::int64_t height;
  std::int64_t width;
  double lambda;
  double epsilon;
  std::int64_t* index;
  double* pull;

  std::int64_t size() const { return height * width; }
  double largest() const {
    double result = 0.0;
    for (std::int64_t i = 0; i < size(); ++i) result = std::max(result, std::abs(y[i]));
    return result;
  }
  // The entry of a pixel of the flow, whose grid has a border.
  std::int64_t entry(std::int64_t pixel) const {
    return (pixel / (width + 2) - 1) * width + pixel % (width + 2) - 1;
  }
};

bool is_finite(const Grid& grid) {
  const bool numbers =
      std::all_of(grid.y, grid.y + grid.size(), [](double number) { return std::isfinite(number); });
  return numbers && grid.lambda >= 0.0;
}

// The forces between blocks, each once.
struct Boundary {
  std::size_t one, other;
  double flow;  // out of one
};

std::vector<Boundary> boundaries(const Grid& grid, const GridFit& fit,
                                 const std::vector<std::size_t>& number) {
  std::vector<Boundary> found;
  const auto look = [&](std::int64_t p, std::int64_t q, double flow) {
    const bool cut = fit.flow.region(q) >= 0 && fit.flow.region(p) != fit.flow.region(q);
    if (cut) found.push_back({number[grid.entry(p)], number[grid.entry(q)], flow});
  };
  for (const std::int64_t p : fit.flow.pixels()) {
    look(p, p + 1, fit.flow.to_right(p));
    look(p, fit.flow.below(p), fit.flow.to_below(p));
  }
  return found;
}

int sign(double number) { return number > 0.0 ? 1 : number < 0.0 ? -1 : 0; }

// What rounding can amount to: in the algorithm, in the numbers given, and in sums of as many of those.
struct Rounding {
  double number;
  double force;
};

Rounding rounding(const Grid& grid, const GridFit& fit, std::size_t pixels, double largest) {
  const double own = fit.flow.rounding(pixels);
  const double given = 4.0 * grid.epsilon * largest;
  return {std::max(own, given), std::max(own, given * std::sqrt(static_cast<double>(pixels)))};
}

// Writes index and pull. Whether a derivative has sides: a part of a block is held by forces that are just
// enough, or neighbors differ by no more than rounding.
bool write_form(const Grid& grid, GridFit& fit) {
  const double largest = grid.largest();
  std::vector<std::size_t> number(grid.size());
  std::vector<double> level;
  std::vector<Rounding> small;
  bool weak = false;
  for (std::size_t b = 0; b < fit.blocks.size(); ++b) {
    const GridFlow::Pixels& block = fit.blocks[b];
    for (const std::int64_t p : block) number[grid.entry(p)] = b;
    level.push_back(fit.flow.mean(block));
    small.push_back(rounding(grid, fit, block.size(), largest));
    weak = weak || !fit.flow.holds_together(block, small.back().force);
  }
  std::vector<double> net(fit.blocks.size(), 0.0);
  for (const Boundary& between : boundaries(grid, fit, number)) {
    const double step = level[between.one] - level[between.other];
    weak = weak || std::abs(step) <= std::max(small[between.one].number, small[between.other].number);
    const int higher = sign(between.flow != 0.0 ? between.flow : step);
    net[between.one] -= higher;
    net[between.other] += higher;
  }
  for (std::int64_t i = 0; i < grid.size(); ++i) {
    const std::size_t b = number[i];
    grid.index[i] = static_cast<std::int64_t>(b);
    grid.pull[i] = net[b] / static_cast<double>(fit.blocks[b].size());
  }
  return weak;
}

// With a lambda so large all is one block, far from any other form.
bool fuses_all(const Grid& grid) {
  double mean = 0.0;
  for (std::int64_t i = 0; i < grid.size(); ++i) mean += grid.y[i] / static_cast<double>(grid.size());
  double apart = 0.0;
  for (std::int64_t i = 0; i < grid.size(); ++i) apart += std::abs(grid.y[i] - mean);
  return grid.lambda > apart + grid.largest();
}

bool find_form(const Grid& grid) {
  if (!is_finite(grid) || fuses_all(grid)) return false;
  GridFit fit(grid.y, grid.height, grid.width, grid.lambda);
  return write_form(grid, fit);
}

}  // namespace

FusedBlocks grid_blocks(const at::Tensor& y, const at::Tensor& lambda) {
  const at::Tensor values = on_host(y);
  const at::Tensor weights = on_host(lambda.expand({y.size(0), 1}));
  const at::Tensor index = at::zeros({y.size(0), y.size(1) * y.size(2)}, values.options().dtype(at::kLong));
  const at::Tensor pull = at::zeros_like(index, values.options());
  Mask weak(y.size(0));
  at::parallel_for(0, y.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t at = b * index.size(1);
      const Grid grid{values.data_ptr<double>() + at,
                      y.size(1),
                      y.size(2),
                      weights.data_ptr<double>()[b],
                      machine_epsilon(y.scalar_type()),
                      index.data_ptr<std::int64_t>() + at,
                      pull.data_ptr<double>() + at};
      weak[b] = find_form(grid) ? 1 : 0;
    }
  });
  return {{index.to(y.device())}, pull.to(y.options()), std::move(weak)};
}

}  // namespace stillpoint::detail
