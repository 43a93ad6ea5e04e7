#include "ode/runge_kutta.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/rows/rows.h"
#include "ode/combine.h"
#include "stillpoint/autograd/implicit.h"
#include "stillpoint/core/solution.h"
#include "stillpoint/linear/solvers/dense_lu.h"

namespace stillpoint::detail {
namespace {

at::ScalarType time_type(const at::Tensor& y) { return c10::toRealValueType(y.scalar_type()); }

double between(double start, double end, double c) {
  if (c == 0.0) return start;
  if (c == 1.0) return end;
  return start + c * (end - start);
}

at::Tensor recorded_time(const Span& span, double c, const at::Tensor& y) {
  if (c == 0.0) return against(span.start_at, y);
  if (c == 1.0) return against(span.end_at, y);
  return against(span.start_at + c * (span.end_at - span.start_at), y);
}

// The terms whose weight is not zero.
struct Sum {
  std::vector<at::Tensor> terms;
  std::vector<double> weights;

  Sum(const std::vector<at::Tensor>& slopes, const std::vector<double>& all) {
    for (std::size_t j = 0; j < slopes.size() && j < all.size(); ++j) {
      if (all[j] == 0.0) continue;
      terms.push_back(slopes[j]);
      weights.push_back(all[j]);
    }
  }
};

std::vector<double> lengths(const Span& span) {
  std::vector<double> lengths(span.start.size());
  for (std::size_t n = 0; n < lengths.size(); ++n) lengths[n] = span.end[n] - span.start[n];
  return lengths;
}

// y + h Σ_j weights_j slopes_j
at::Tensor advance(const Span& span, const at::Tensor& y, const std::vector<at::Tensor>& slopes,
                   const std::vector<double>& weights) {
  if (!span.start_at.defined()) {
    const Sum sum(slopes, weights);
    return combine(y, sum.terms, sum.weights, lengths(span));
  }
  at::Tensor direction;
  for (std::size_t j = 0; j < slopes.size() && j < weights.size(); ++j) {
    if (weights[j] == 0.0) continue;
    direction = direction.defined() ? at::add(direction, slopes[j], weights[j]) : slopes[j] * weights[j];
  }
  return direction.defined() ? y + against(span.end_at - span.start_at, y) * direction : y;
}

// What the slopes found so far say of the next one: the polynomial through them, of different times the
// latest ones.
at::Tensor predicted(const ode::Tableau& tableau, const std::vector<at::Tensor>& slopes) {
  const double c = tableau.c[slopes.size()];
  std::vector<double> weights(slopes.size(), 1.0);
  for (std::size_t j = 0; j < slopes.size(); ++j) {
    const double own = tableau.c[j];
    for (std::size_t m = 0; m < slopes.size(); ++m) {
      if (tableau.c[m] != own) {
        weights[j] *= (c - tableau.c[m]) / (own - tableau.c[m]);
      } else if (m > j) {
        weights[j] = 0.0;
      }
    }
  }
  const Sum sum(slopes, weights);
  return combine({}, sum.terms, sum.weights);
}

// The slope at an implicit stage, the next one. Its derivatives are those of the equation that it solves.
at::Tensor implicit_slope(const ode::Tableau& tableau, const Slope& f, const Span& span, const at::Tensor& y,
                          const Stages& stages, const at::Tensor& first, StageSolver& solver) {
  const std::size_t i = stages.slopes.size();
  const double weight = tableau.a[i][i];
  const at::Tensor base = advance(span, y, stages.slopes, tableau.a[i]).contiguous();
  const at::Tensor t = f.takes_time() ? stage_time(span, tableau.c[i], y) : at::Tensor();
  std::vector<double> own = lengths(span);
  for (double& length : own) length *= weight;
  at::Tensor slope;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor guess = i == 0 ? first : predicted(tableau, stages.slopes);
    slope = solver.solve(f, {t.defined() ? t.detach() : t, base.detach(), std::move(own)}, guess);
  }
  if (!at::GradMode::is_enabled()) return slope;
  // A backward pass may come to the map again, when f is gone.
  const Condition condition([f, t, base, length = step_length(span, y) * weight](const at::Tensor& k) {
    return f(t, base + length * k);
  });
  // With nearly this matrix the stage was found, so it is not singular. A residual that is measured by the
  // gradient alone says nothing where the matrix has large numbers.
  return implicit(condition, slope,
                  {.solver = DenseLu{}, .on_failure = OnFailure::Ignore, .first_order = solver.adjoint()});
}

// b_i(θ) − b_i(from) by Horner's rule, for numbers and for tensors.
template <class Number>
Number polynomial(const std::vector<double>& p, const Number& theta) {
  Number value = theta * p.back();
  for (std::size_t m = p.size() - 1; m-- > 0;) value = (value + p[m]) * theta;
  return value;
}

// Dense output, from the end of the step that is nearer: exact at both.
struct DenseOutput {
  const ode::Tableau& tableau;
  const Span& span;
  const Span& output;
  std::vector<double> theta;
  Mask late;  // of a clock: whether it is counted from the end of the step

  DenseOutput(const ode::Tableau& of, const Span& step, const Span& wanted)
      : tableau(of), span(step), output(wanted), late(step.start.size()) {
    for (std::size_t n = 0; n < span.start.size(); ++n) {
      const double length = span.end[n] - span.start[n];
      theta.push_back(length == 0.0 ? 0.0 : (output.end[n] - span.start[n]) / length);
      late[n] = theta.back() > 0.5;
    }
  }

  at::Tensor base(const at::Tensor& y, const at::Tensor& next) const {
    if (late.all()) return next;
    if (!late.any() || span.joint) return y;
    return at::where(to_mask(late, y), next, y);
  }

  at::Tensor by_numbers(const at::Tensor& from, const std::vector<at::Tensor>& slopes) const {
    std::vector<double> coefficients;
    for (std::size_t n = 0; n < theta.size(); ++n) {
      for (const std::vector<double>& p : tableau.interpolant) {
        const double weight = polynomial(p, theta[n]) - (late[n] ? polynomial(p, 1.0) : 0.0);
        coefficients.push_back((span.end[n] - span.start[n]) * weight);
      }
    }
    return combine(from, slopes, coefficients);
  }

  at::Tensor by_tensors(const at::Tensor& from, const std::vector<at::Tensor>& slopes,
                        const at::Tensor& y) const {
    at::Tensor length = span.end_at - span.start_at;
    length = at::where(length == 0.0, 1.0, length);
    const at::Tensor fraction = (output.end_at - span.start_at) / length;
    std::vector<double> marks(late.begin(), late.end());
    const at::Tensor late_at = fraction.dim() == 0 ? at::scalar_tensor(marks[0], length.options())
                                                   : at::tensor(marks, at::kDouble).to(length.device());
    at::Tensor sum = from;
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      const std::vector<double>& p = tableau.interpolant[i];
      const at::Tensor weight = polynomial(p, fraction) - polynomial(p, 1.0) * late_at.detach();
      sum = sum + against(length * weight, y) * slopes[i];
    }
    return sum;
  }
};

}  // namespace

at::Tensor step_length(const Span& span, const at::Tensor& y) {
  if (span.start_at.defined()) return against(span.end_at - span.start_at, y);
  return as_time(lengths(span), span.joint, y);
}

at::Tensor stage_time(const Span& span, double fraction, const at::Tensor& y) {
  const bool recorded = span.start_at.defined();
  if (recorded && span.told_start.empty()) return recorded_time(span, fraction, y);
  std::vector<double> times(span.start.size());
  for (std::size_t n = 0; n < times.size(); ++n) {
    times[n] = between(span.start[n], span.end[n], fraction);
    if (span.told_start.empty()) continue;
    const auto [least, most] = std::minmax(span.told_start[n], span.told_end[n]);
    times[n] = std::clamp(times[n], least, most);
  }
  at::Tensor told = as_time(times, span.joint, y);
  if (!recorded) return told;
  const at::Tensor time = recorded_time(span, fraction, y);
  return time + (told - time.detach());
}

at::Tensor against(const at::Tensor& times, const at::Tensor& y) {
  return (times.dim() == 0 ? times : as_column(times, y)).to(time_type(y));
}

at::Tensor as_time(const std::vector<double>& times, bool joint, const at::Tensor& y) {
  std::vector<std::int64_t> shape;
  if (!joint) {
    shape.assign(y.dim(), 1);
    shape[0] = y.size(0);
  }
  const at::ScalarType type = time_type(y);
  const at::Tensor host = at::empty(shape, at::TensorOptions().dtype(type));
  if (type == at::kDouble) {
    std::copy(times.begin(), times.end(), host.data_ptr<double>());
  } else if (type == at::kFloat) {
    std::copy(times.begin(), times.end(), host.data_ptr<float>());
  } else {
    host.copy_(at::tensor(times, at::kDouble).view(shape));
  }
  return host.to(y.device());
}

Stages take_step(const ode::Tableau& tableau, const Slope& f, const Span& span, const at::Tensor& from,
                 const at::Tensor& first, bool all, StageSolver* solver) {
  const at::Tensor y = shared(from);
  Stages stages{.start = y};
  const std::size_t count = tableau.stages();
  const bool shares_last = tableau.first_same_as_last() && !tableau.is_implicit(count - 1);
  if (solver != nullptr) solver->begin(f.takes_time() ? stage_time(span, 0.0, y) : at::Tensor(), y);
  for (std::size_t i = 0; i < count; ++i) {
    if (tableau.is_implicit(i)) {
      stages.slopes.push_back(shared(implicit_slope(tableau, f, span, y, stages, first, *solver)));
      continue;
    }
    if (i == 0 && first.defined()) {
      stages.slopes.push_back(first);
      continue;
    }
    at::Tensor at = i == 0 ? y : advance(span, y, stages.slopes, tableau.a[i]);
    if (shares_last && i + 1 == count) {
      at = stages.next = shared(at);
      if (!all) return stages;
    }
    stages.slopes.push_back(shared(f(f.takes_time() ? stage_time(span, tableau.c[i], y) : at::Tensor(), at)));
  }
  if (!shares_last) stages.next = shared(advance(span, y, stages.slopes, tableau.b));
  if (solver == nullptr) return stages;
  stages.unsolved = solver->unsolved();
  if (stages.unsolved.any()) {
    const at::Tensor unknown = at::full_like(stages.next, std::numeric_limits<double>::quiet_NaN()).detach();
    stages.next = at::where(to_mask(stages.unsolved, unknown), unknown, stages.next);
  }
  return stages;
}

at::Tensor state_inside(const ode::Tableau& tableau, const Slope& f, const Span& span, const Span& output,
                        const at::Tensor& y, const Stages& stages, const Mask& wanted, StageSolver* solver) {
  const auto shorter = [&] {
    return take_step(tableau, f, output, y, stages.slopes[0], /*all=*/false, solver).next;
  };
  if (tableau.interpolant.empty()) return shorter();
  const DenseOutput dense(tableau, span, output);
  const at::Tensor from = dense.base(stages.start, stages.next);
  if (!span.start_at.defined()) return dense.by_numbers(from, stages.slopes);
  at::Tensor inside = dense.by_tensors(from, stages.slopes, y);
  // A step without a length has no inside, but its derivatives in the times are those of a step.
  Mask no_length(wanted.size());
  for (std::size_t n = 0; n < wanted.size(); ++n) no_length[n] = wanted[n] & (span.start[n] == span.end[n]);
  if (!no_length.any()) return inside;
  return span.joint ? shorter() : select_rows(no_length, shorter(), inside);
}

at::Tensor step_error(const ode::Tableau& tableau, const Span& span, const Stages& stages) {
  const Sum sum(stages.slopes, tableau.error);
  return combine(at::zeros_like(stages.start), sum.terms, sum.weights, lengths(span));
}

std::vector<double> step_errors(const ode::Tableau& tableau, const Span& span, const at::Tensor& y,
                                const Stages& stages, double absolute, double relative) {
  Sum sum(stages.slopes, tableau.error);
  if (sum.terms.empty()) {  // no estimate: zero where the state is finite
    sum.terms.push_back(stages.next);
    sum.weights.push_back(0.0);
  }
  return error_norms(sum.terms, sum.weights, lengths(span), y, stages.next, absolute, relative);
}

}  // namespace stillpoint::detail
