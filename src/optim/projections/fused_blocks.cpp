#include "optim/projections/fused_blocks.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <utility>
#include <vector>

#include "core/dtype.h"

namespace stillpoint::detail {
namespace {

/// The derivative of the least cost of the entries so far, as a function of the last one, x: increasing,
/// linear between knots, and −lambda and lambda beyond them, to where the next entry has clipped it.
class CostSlope {
 public:
  explicit CostSlope(double lambda) : lambda_(lambda) {}

  struct Interval {
    double low;
    double high;
  };
  /// Adds x − y, and clips: between these x the next entry is the same as this one.
  Interval add(double y, bool first) {
    const double before = first ? 0.0 : lambda_;
    Line left{1.0, -before - y};
    while (!knots_.empty() && left.at(knots_.front().x) <= -lambda_) {
      left.add(knots_.front().change);
      knots_.pop_front();
    }
    Line right{1.0, before - y};
    while (!knots_.empty() && right.at(knots_.back().x) >= lambda_) {
      right.subtract(knots_.back().change);
      knots_.pop_back();
    }
    const Interval kept{left.where(-lambda_), right.where(lambda_)};
    knots_.push_front({kept.low, {left.slope, left.offset + lambda_}});
    knots_.push_back({kept.high, {-right.slope, lambda_ - right.offset}});
    return kept;
  }
  /// Where it vanishes after x − y is added.
  double minimum(double y, bool first) const {
    Line line{1.0, (first ? 0.0 : -lambda_) - y};
    for (auto knot = knots_.begin(); knot != knots_.end() && line.at(knot->x) <= 0.0; ++knot)
      line.add(knot->change);
    return line.where(0.0);
  }

 private:
  struct Line {
    double slope;
    double offset;
    double at(double x) const { return slope * x + offset; }
    double where(double value) const { return (value - offset) / slope; }
    void add(const Line& change) {
      slope += change.slope;
      offset += change.offset;
    }
    void subtract(const Line& change) {
      slope -= change.slope;
      offset -= change.offset;
    }
  };
  struct Knot {
    double x;
    Line change;  // of the line, from left to right
  };

  double lambda_;
  std::deque<Knot> knots_;
};

// The sign of the step after each entry but the last; 0 where there is none.
std::vector<int> steps_of_fit(const double* y, std::int64_t n, double lambda) {
  CostSlope slope(lambda);
  std::vector<CostSlope::Interval> same;
  for (std::int64_t i = 0; i + 1 < n; ++i) same.push_back(slope.add(y[i], i == 0));
  std::vector<int> steps(n - 1);
  double x = slope.minimum(y[n - 1], n == 1);
  for (std::int64_t i = n - 2; i >= 0; --i) {
    steps[i] = x > same[i].high ? 1 : x < same[i].low ? -1 : 0;
    x = std::clamp(x, same[i].low, same[i].high);
  }
  return steps;
}

struct RowFit {
  std::int64_t* index;
  double* pull;
  std::vector<double> x;
};

// Block by block, from the steps between them.
void fit_blocks(const double* y, std::int64_t n, double lambda, const std::vector<int>& steps, RowFit& fit) {
  std::int64_t block = 0;
  for (std::int64_t start = 0; start < n; ++block) {
    std::int64_t end = start;
    double sum = y[start];
    while (end + 1 < n && steps[end] == 0) sum += y[++end];
    const auto size = static_cast<double>(end + 1 - start);
    const int net = (end + 1 < n ? steps[end] : 0) - (start > 0 ? steps[start - 1] : 0);
    for (; start <= end; ++start) {
      fit.index[start] = block;
      fit.pull[start] = net / size;
      fit.x.push_back(sum / size + (net == 0 ? 0.0 : lambda * fit.pull[start]));
    }
  }
}

// Whether the force between two neighbors that are equal is all that lambda allows, or two others are equal;
// both but for rounding. That of the sums, in double, is at most n units of the largest number. The numbers
// of y are rounded to its own dtype, each for itself, so that in the force within a block they add like
// squares.
bool is_weak(const double* y, const std::vector<double>& x, double lambda, const std::vector<int>& steps,
             double of_data) {
  constexpr double units = 4.0;
  double largest = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(y[i]));
  const double of_sums =
      units * std::numeric_limits<double>::epsilon() * static_cast<double>(x.size()) * largest;
  double force = 0.0;
  double squares = 0.0;  // of the block's numbers so far
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    force += y[i] - x[i];
    squares += y[i] * y[i];
    const double small = of_sums + units * of_data * (steps[i] == 0 ? std::sqrt(squares) : largest);
    if (steps[i] == 0 ? lambda - std::abs(force) <= small : std::abs(x[i + 1] - x[i]) <= small) return true;
    if (steps[i] != 0) squares = 0.0;
  }
  return false;
}

}  // namespace

FusedBlocks fused_blocks(const at::Tensor& y, const at::Tensor& lambda) {
  const at::Tensor values = on_host(y);
  const at::Tensor weights = on_host(lambda.expand({y.size(0), 1}));
  const std::int64_t n = y.size(1);
  const at::Tensor index = at::zeros(y.sizes(), values.options().dtype(at::kLong));
  const at::Tensor pull = at::zeros_like(values);
  Mask weak(y.size(0));
  for (std::int64_t b = 0; b < y.size(0); ++b) {
    const double* row = values.data_ptr<double>() + b * n;
    const double weight = weights.data_ptr<double>()[b];
    const bool finite = std::all_of(row, row + n, [](double number) { return std::isfinite(number); });
    // With an infinite lambda all is one block.
    if (!finite || !std::isfinite(weight) || !(weight >= 0.0)) continue;
    RowFit fit{index.data_ptr<std::int64_t>() + b * n, pull.data_ptr<double>() + b * n, {}};
    const std::vector<int> steps = steps_of_fit(row, n, weight);
    fit_blocks(row, n, weight, steps, fit);
    weak[b] = is_weak(row, fit.x, weight, steps, machine_epsilon(y.scalar_type())) ? 1 : 0;
  }
  return {{index.to(y.device())}, pull.to(y.options()), std::move(weak)};
}

}  // namespace stillpoint::detail
