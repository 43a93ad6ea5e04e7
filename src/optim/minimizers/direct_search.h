#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "optim/minimizers/bounds.h"
#include "stillpoint/core/deadline.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/core/observer.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/core/tolerance.h"

namespace stillpoint::detail {

/// A minimization by values alone under way: which samples go on, and how the others ended.
class DirectSearch {
 public:
  using Values = std::function<at::Tensor(const at::Tensor&)>;

  /// From `x0`, contiguous, within the bounds. `running` marks the samples that go on.
  DirectSearch(Values values, Bounds bounds, at::Tensor x0, const ResolvedTolerance& tolerance,
               std::int64_t max_iterations, Mask& running);

  void observe(Observer observer) { observer_ = std::move(observer); }
  void stop_at(Deadline deadline) { deadline_ = deadline; }

  const at::Tensor& start() const { return best_; }
  Norm norm() const { return tolerance_.norm; }
  const Bounds& bounds() const { return bounds_; }
  const Mask& running() const { return running_; }
  /// The values at x, `[B]`; infinite where they are NaN.
  at::Tensor values(const at::Tensor& x);
  /// Takes in the best point of each running sample, its value, and how far around it the search reaches.
  void follow(const at::Tensor& best, const at::Tensor& value, const std::vector<double>& size);
  /// Shows them to the observer. True if a sample goes on from there.
  bool goes_on() const;
  /// Whether the tolerance allows an error of the latest size.
  bool allows(std::size_t b) const { return size_[b] <= allowed_[b]; }
  double allowed(std::size_t b) const { return allowed_[b]; }
  void end(std::size_t b, Status status);

  const at::Tensor& result() const { return best_; }
  std::int64_t evaluations() const { return evaluations_; }
  void write(Stats& stats) const;

 private:
  Values values_;
  Bounds bounds_;
  at::Tensor best_;
  ResolvedTolerance tolerance_;
  std::int64_t max_iterations_;
  Mask& running_;
  Observer observer_;
  Deadline deadline_;
  std::vector<double> size_, allowed_, first_size_;
  std::vector<Status> status_;
  std::vector<std::int64_t> iterations_;
  std::int64_t steps_ = -1;
  std::int64_t evaluations_ = 0;
  bool late_ = false;
};

}  // namespace stillpoint::detail
