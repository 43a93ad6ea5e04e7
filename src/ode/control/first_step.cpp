#include "ode/control/first_step.h"

#include <algorithm>
#include <cmath>

#include "ode/combine.h"
#include "ode/runge_kutta.h"

namespace stillpoint::detail {
namespace {

// Of the whole way, where nothing can be learned from the slopes.
constexpr double kCautious = 1e-6;

double try_length(double state, double slope, double way) {
  const double length = state < 1e-5 || slope < 1e-5 ? kCautious * way : 0.01 * state / slope;
  return std::isfinite(length) ? std::min(length, way) : kCautious * way;
}

double choose(double tried, double slope, double bend, double way, int order) {
  const double steepest = std::max(slope, bend);
  double length = std::max(kCautious * way, tried * 1e-3);
  if (!(steepest <= 1e-15)) length = std::pow(0.01 / steepest, 1.0 / (order + 1));
  length = std::min(100.0 * tried, length);
  return std::isfinite(length) && length > 0.0 ? std::min(length, way) : tried;
}

}  // namespace

std::vector<double> first_steps(const Slope& f, const at::Tensor& y0, const at::Tensor& slope,
                                const Schedule& schedule, int order, const Limits& limits) {
  const bool joint = !schedule.per_sample();
  const auto norms = [&](const std::vector<at::Tensor>& terms, const std::vector<double>& coefficients) {
    return error_norms(terms, coefficients, {1.0}, y0, y0, limits.absolute, limits.relative);
  };
  const std::vector<double> state = norms({y0}, {1.0});
  const std::vector<double> steepness = norms({slope}, {1.0});
  const std::size_t batch = state.size();
  const std::vector<double> start = schedule.starts();
  std::vector<double> length;
  for (std::size_t n = 0; n < start.size(); ++n)
    length.push_back(schedule.time(n, schedule.outputs() - 1) - start[n]);
  const auto way = [&](std::size_t b) { return std::abs(length[joint ? 0 : b]); };
  std::vector<double> tried(batch);
  for (std::size_t b = 0; b < batch; ++b) tried[b] = try_length(state[b], steepness[b], way(b));
  if (joint && batch > 0)
    std::fill(tried.begin(), tried.end(), *std::min_element(tried.begin(), tried.end()));

  std::vector<double> moves;
  std::vector<double> times;
  for (std::size_t n = 0; n < start.size(); ++n) {
    moves.push_back(batch == 0 ? 0.0 : std::copysign(tried[n], length[n]));
    times.push_back(start[n] + moves.back());
  }
  const at::Tensor there = f(as_time(times, joint, y0), combine(y0, {slope}, {1.0}, moves));
  std::vector<double> bend = norms({there, slope}, {1.0, -1.0});
  for (std::size_t b = 0; b < batch; ++b) {
    tried[b] = tried[b] > 0.0 ? choose(tried[b], steepness[b], bend[b] / tried[b], way(b), order) : way(b);
  }
  if (joint && batch > 0) return {*std::min_element(tried.begin(), tried.end())};
  return joint ? std::vector<double>{way(0)} : tried;
}

}  // namespace stillpoint::detail
