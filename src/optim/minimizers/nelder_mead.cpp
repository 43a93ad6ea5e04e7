#include "stillpoint/optim/minimizers/nelder_mead.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "optim/minimizers/direct_search.h"

namespace stillpoint::optim {
namespace {

constexpr double kWider = 100.0;  // than the tolerance: a simplex that checks what another came to
constexpr double kBack = 10.0;    // than that: how near the second comes to the first
constexpr double kFlat = 1e-7;    // thinner than that, by its length, a simplex is replaced

// A simplex for each sample, the best corner first.
class Simplexes {
 public:
  Simplexes(detail::DirectSearch& search, double size) : search_(search), x_(search.start()) {
    const at::Tensor scale = x_.abs().reshape({x_.size(0), -1}).amax(1, true);
    const at::Tensor length = size * at::where(scale > 0, scale, at::ones_like(scale));
    width_ = detail::row_width(x_);
    first_ = search.values(x_);
    std::tie(corners_, values_) = around(rows(x_), first_, length);
    sort();
  }

  at::Tensor best() const { return corners_.select(1, 0).reshape(x_.sizes()); }
  at::Tensor best_value() const { return values_.select(1, 0); }
  // The farthest corner from the best one.
  std::vector<double> sizes(Norm norm) const {
    std::vector<double> size(x_.size(0), 0.0);
    for (std::int64_t i = 1; i <= width_; ++i) {
      const std::vector<double> edge =
          detail::row_norms((corners_.select(1, i) - corners_.select(1, 0)).contiguous(), norm);
      for (std::size_t b = 0; b < size.size(); ++b) size[b] = std::max(size[b], edge[b]);
    }
    return size;
  }
  // Whether the values tell the corners apart.
  std::vector<bool> tells_apart() const {
    const std::vector<double> low = detail::to_host(values_.select(1, 0));
    const std::vector<double> high = detail::to_host(values_.select(1, width_));
    const double rounding = 10 * detail::machine_epsilon(x_.scalar_type());
    std::vector<bool> apart(low.size());
    for (std::size_t b = 0; b < apart.size(); ++b) {
      apart[b] = high[b] - low[b] > rounding * std::max(std::abs(low[b]), std::abs(high[b]));
    }
    return apart;
  }
  Mask flat() const {
    const at::Tensor edges = corners_.slice(1, 1) - corners_.slice(1, 0, 1);
    const at::Tensor singular = at::linalg_svdvals(detail::finite_or_zero(edges));
    const std::vector<double> part =
        detail::to_host(detail::quotient_or_zero(singular.select(1, -1), singular.select(1, 0)));
    Mask result(part.size());
    for (std::size_t b = 0; b < result.size(); ++b) result[b] = search_.running()[b] && part[b] < kFlat;
    return result;
  }
  // Begins anew in the marked samples, so wide around the best corner.
  void renew(const Mask& marked, const std::vector<double>& length) {
    const auto [corners, values] =
        around(corners_.select(1, 0), values_.select(1, 0), detail::to_column(length, corners_.select(1, 0)));
    corners_ = detail::select_rows(marked, corners, corners_);
    values_ = detail::select_rows(marked, values, values_);
    sort();
  }
  void step();

 private:
  at::Tensor rows(const at::Tensor& x) const { return x.reshape({x.size(0), width_}); }
  at::Tensor within(const at::Tensor& p) const {
    return rows(search_.bounds().project(p.reshape(x_.sizes())));
  }
  at::Tensor values_at(const at::Tensor& p) const { return search_.values(p.reshape(x_.sizes())); }

  // Corners beside `center` along the axes; on the other side, where a bound is in the way.
  std::tuple<at::Tensor, at::Tensor> around(const at::Tensor& center, const at::Tensor& value,
                                            const at::Tensor& length) const {
    std::vector<at::Tensor> corners{center};
    std::vector<at::Tensor> values{value};
    for (std::int64_t i = 0; i < width_; ++i) {
      at::Tensor axis = at::zeros_like(center);
      axis.select(1, i).fill_(1);
      const at::Tensor up = within(center + length * axis);
      const at::Tensor down = within(center - length * axis);
      const at::Tensor prefers_up = (up - center).abs().amax(1, true) >= (down - center).abs().amax(1, true);
      corners.push_back(at::where(prefers_up, up, down));
      values.push_back(values_at(corners.back()));
    }
    return {at::stack(corners, 1), at::stack(values, 1)};
  }
  void sort() {
    const at::Tensor order = at::argsort(values_, /*stable=*/true, 1, false);
    values_ = values_.gather(1, order);
    corners_ = corners_.gather(1, order.unsqueeze(2).expand_as(corners_));
  }
  void shrink(const at::Tensor& marked, double part);

  detail::DirectSearch& search_;
  at::Tensor x_;  // the start, whose shape is that of the samples
  at::Tensor first_;
  std::int64_t width_ = 0;
  at::Tensor corners_;  // [B, N + 1, N]
  at::Tensor values_;   // [B, N + 1]
};

void Simplexes::step() {
  const double n = std::max<double>(2.0, static_cast<double>(width_));
  const double expansion = 1 + 2 / n, contraction = 0.75 - 1 / (2 * n), shrinkage = 1 - 1 / n;
  const at::Tensor running = detail::to_mask(search_.running(), values_).reshape({-1, 1});
  const at::Tensor center = corners_.slice(1, 0, width_).mean(1);
  const at::Tensor worst = corners_.select(1, width_);
  const at::Tensor worst_value = values_.slice(1, width_);
  const at::Tensor mirrored = within(2 * center - worst);
  const at::Tensor mirrored_value = values_at(mirrored).unsqueeze(1);

  const at::Tensor expands = mirrored_value < values_.slice(1, 0, 1);
  const at::Tensor outside = mirrored_value < worst_value;
  const at::Tensor contracts = mirrored_value >= values_.slice(1, width_ - 1, width_);
  const at::Tensor reach = at::where(
      expands, at::full_like(worst_value, expansion),
      at::where(outside, at::full_like(worst_value, contraction), at::full_like(worst_value, -contraction)));
  const at::Tensor second = within(center + reach * (center - worst));
  const at::Tensor second_value = values_at(second).unsqueeze(1);

  const at::Tensor bar = at::where(outside, mirrored_value, worst_value);
  const at::Tensor better = at::where(expands, second_value < mirrored_value, second_value < bar);
  const at::Tensor takes_second = better.logical_and(expands.logical_or(contracts));
  const at::Tensor shrinks = contracts.logical_and(better.logical_not()).logical_and(expands.logical_not());
  const at::Tensor moves = running.logical_and(shrinks.logical_not());
  const at::Tensor next = at::where(moves, at::where(takes_second, second, mirrored), worst);
  const at::Tensor next_value =
      at::where(moves, at::where(takes_second, second_value, mirrored_value), worst_value);
  corners_ = at::cat({corners_.slice(1, 0, width_), next.unsqueeze(1)}, 1);
  values_ = at::cat({values_.slice(1, 0, width_), next_value}, 1);
  const at::Tensor marked = running.logical_and(shrinks);
  if (marked.any().item<bool>()) shrink(marked, shrinkage);
  sort();
}

void Simplexes::shrink(const at::Tensor& marked, double part) {
  const at::Tensor best = corners_.select(1, 0);
  std::vector<at::Tensor> corners{best};
  std::vector<at::Tensor> values{values_.slice(1, 0, 1)};
  for (std::int64_t i = 1; i <= width_; ++i) {
    const at::Tensor corner = corners_.select(1, i);
    corners.push_back(at::where(marked, best + part * (corner - best), corner));
    values.push_back(at::where(marked, values_at(corners.back()).unsqueeze(1), values_.slice(1, i, i + 1)));
  }
  corners_ = at::stack(corners, 1);
  values_ = at::cat(values, 1);
}

// What the first simplex of a sample came to, which a second one has to come back to.
struct Check {
  at::Tensor found;
  Mask began;
  std::vector<bool> told;  // whether the values at its start differed

  // Ends the samples that came back, and has the others begin a check.
  void judge(detail::DirectSearch& search, Simplexes& simplexes, Norm norm) {
    const at::Tensor here = simplexes.best();
    const std::vector<double> away = detail::row_norms((here - found).contiguous(), norm);
    Mask begins(began.size());
    std::vector<double> length(began.size(), 1.0);
    for (std::size_t b = 0; b < begins.size(); ++b) {
      if (!search.running()[b] || !search.allows(b)) continue;
      if (began[b] && away[b] <= kBack * search.allowed(b)) {
        search.end(b, told[b] ? Status::Converged : Status::Stalled);
        continue;
      }
      begins[b] = 1;
      length[b] = kWider * search.allowed(b);
    }
    if (!begins.any()) return;
    simplexes.renew(begins, length);
    const std::vector<bool> apart = simplexes.tells_apart();
    for (std::size_t b = 0; b < begins.size(); ++b) {
      if (begins[b]) told[b] = apart[b];
      began[b] = began[b] || begins[b];
    }
    found = detail::select_rows(begins, here, found);
  }
};

}  // namespace

void NelderMead::minimize(detail::DirectSearch& search) const {
  TORCH_CHECK(size > 0.0, "NelderMead.size: expected a number > 0, got ", size);
  const Norm norm = search.norm();
  const std::size_t batch = search.running().size();
  if (detail::row_width(search.start()) == 0) return;
  Simplexes simplexes(search, size);
  Check check{search.start(), Mask(batch), std::vector<bool>(batch)};
  const std::int64_t look_every = 10 * detail::row_width(search.start());
  std::int64_t until_look = look_every;
  std::vector<double> sizes = simplexes.sizes(norm);
  while (true) {
    search.follow(simplexes.best(), simplexes.best_value(), sizes);
    check.judge(search, simplexes, norm);
    if (!search.goes_on()) return;
    if (--until_look == 0) {
      until_look = look_every;
      const Mask flat = simplexes.flat();
      if (flat.any()) simplexes.renew(flat, sizes);
    }
    simplexes.step();
    sizes = simplexes.sizes(norm);
  }
}

}  // namespace stillpoint::optim
