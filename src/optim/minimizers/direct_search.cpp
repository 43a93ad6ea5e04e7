#include "optim/minimizers/direct_search.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <limits>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

constexpr double kFarthest = 1e30;  // how far a search may grow, by its first size

}  // namespace

DirectSearch::DirectSearch(Values values, Bounds bounds, at::Tensor x0, const ResolvedTolerance& tolerance,
                           std::int64_t max_iterations, Mask& running)
    : values_(std::move(values)),
      bounds_(std::move(bounds)),
      best_(std::move(x0)),
      tolerance_(tolerance),
      max_iterations_(max_iterations),
      running_(running),
      status_(running.size(), Status::MaxIterations),
      iterations_(running.size(), 0) {}

at::Tensor DirectSearch::values(const at::Tensor& x) {
  ++evaluations_;
  const at::Tensor value = values_(x.contiguous());
  return at::where(value.isnan(), at::full_like(value, std::numeric_limits<double>::infinity()), value);
}

void DirectSearch::end(std::size_t b, Status status) {
  status_[b] = status;
  running_[b] = 0;
}

void DirectSearch::follow(const at::Tensor& best, const at::Tensor& value, const std::vector<double>& size) {
  ++steps_;
  late_ = deadline_.passed();
  best_ = select_rows(running_, best, best_).contiguous();
  const std::vector<double> scale = row_norms(best_, tolerance_.norm);
  const std::vector<double> height = to_host(value);
  if (steps_ == 0) {
    size_ = first_size_ = size;
    allowed_.resize(size.size());
  }
  for (std::size_t b = 0; b < size.size(); ++b) {
    if (!running_[b]) continue;
    size_[b] = size[b];
    allowed_[b] = tolerance_.allowed(scale[b]);
    iterations_[b] = steps_;
    if (height[b] == -std::numeric_limits<double>::infinity() || size[b] > kFarthest * first_size_[b]) {
      end(b, Status::Unbounded);
    } else if (!std::isfinite(height[b]) || !std::isfinite(scale[b])) {
      end(b, Status::NonFinite);
    }
  }
}

bool DirectSearch::goes_on() const {
  if (observer_) observer_({steps_, best_, size_, running_});
  return running_.any() && steps_ < max_iterations_ && !late_;
}

void DirectSearch::write(Stats& stats) const {
  stats.status = status_;
  stats.residual = size_;
  stats.allowed = allowed_;
  stats.iterations = iterations_;
  for (std::size_t b = 0; b < status_.size(); ++b) {
    if (running_[b] && late_ && steps_ < max_iterations_) stats.status[b] = Status::TimeLimit;
  }
}

}  // namespace stillpoint::detail
