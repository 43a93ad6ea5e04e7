#include "descent/wolfe_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace stillpoint::detail {
namespace {

constexpr double kFall = 1e-4;
constexpr double kWiden = 4.0;
constexpr std::int64_t kMaxTrials = 50;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Where the cubic through both ends with their slopes is least; NaN if that is nowhere.
template <class End>
double cubic_minimum(const End& low, const End& high) {
  const double width = high.length - low.length;
  const double mean = low.slope + high.slope - 3.0 * (high.value - low.value) / width;
  const double root = std::sqrt(mean * mean - low.slope * high.slope);
  return high.length - width * (high.slope + root - mean) / (high.slope - low.slope + 2.0 * root);
}

}  // namespace

WolfeSearch::WolfeSearch(std::vector<Start> start, std::vector<double> first, const Mask& searching,
                         double level)
    : start_(std::move(start)),
      lengths_(std::move(first)),
      searching_(searching),
      found_(start_.size()),
      unbounded_(start_.size()),
      level_(level),
      fall_only_(std::isinf(level)) {
  for (const Start& s : start_) {
    low_.push_back({0.0, s.value, s.slope});
    high_.push_back({kInfinity, 0.0, 0.0});
  }
}

bool WolfeSearch::judge(const std::vector<double>& value, const std::vector<double>& slope) {
  ++trials_;
  for (std::size_t b = 0; b < start_.size(); ++b) {
    if (searching_[b]) judge_one(b, {lengths_[b], value[b], slope[b]});
  }
  return searching_.any();
}

void WolfeSearch::judge_one(std::size_t b, const End& trial) {
  const bool fallen = falls(start_[b], trial);
  if (fallen && (fall_only_ || is_level(start_[b], trial))) {
    found_[b] = 1;
    searching_[b] = 0;
    return;
  }
  (fallen && trial.slope < 0.0 ? low_[b] : high_[b]) = trial;
  // Narrowed to where nothing can be told any more. A step that is merely short is widened.
  const bool drowned = is_bracketed(b) && -trial.length * start_[b].slope < 1e-3 * start_[b].rounding;
  if (trials_ < kMaxTrials && trial.value != -kInfinity && !drowned) {
    lengths_[b] = next(b);
    return;
  }
  searching_[b] = 0;
  unbounded_[b] = trial.value == -kInfinity || (fallen && !is_bracketed(b));
}

double WolfeSearch::next(std::size_t b) const {
  const End& low = low_[b];
  const End& high = high_[b];
  if (!is_bracketed(b)) return kWiden * low.length;
  const double width = high.length - low.length;
  const double guess = cubic_minimum(low, high);
  if (fall_only_ || !std::isfinite(guess)) return low.length + 0.5 * width;
  return std::clamp(guess, low.length + 0.1 * width, high.length - 0.1 * width);
}

// Not true of NaN, nor of what is infinite.
bool WolfeSearch::falls(const Start& start, const End& trial) const {
  if (!std::isfinite(trial.value) || !std::isfinite(trial.slope)) return false;
  const double from = start.value + start.excess;
  const bool armijo = trial.value <= from + kFall * trial.length * start.slope;
  if (armijo && trial.value < from) return true;
  return start.slope < 0.0 && std::abs(trial.value - start.value) <= start.rounding &&
         trial.slope <= (2.0 * kFall - 1.0) * start.slope;
}

bool WolfeSearch::is_level(const Start& start, const End& trial) const {
  return std::abs(trial.slope) <= -level_ * start.slope;
}

bool WolfeSearch::is_bracketed(std::size_t b) const { return high_[b].length < kInfinity; }

}  // namespace stillpoint::detail
