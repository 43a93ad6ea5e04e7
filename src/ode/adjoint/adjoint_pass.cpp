#include "ode/adjoint/adjoint_pass.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

#include "core/rows/rows.h"
#include "ode/combine.h"
#include "ode/control/limits.h"
#include "ode/runge_kutta.h"
#include "ode/solve.h"

namespace stillpoint::detail {
namespace {

using torch::autograd::variable_list;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Gauss–Legendre quadrature on [0, 1].
struct Quadrature {
  std::vector<double> nodes;
  std::vector<double> weights;
};

// As exact as a method of this order.
Quadrature quadrature_for(int order) {
  if (order <= 2) return {{0.5}, {1.0}};
  if (order <= 4) return {{0.5 - std::sqrt(3.0) / 6, 0.5 + std::sqrt(3.0) / 6}, {0.5, 0.5}};
  if (order <= 6) {
    const double away = std::sqrt(15.0) / 10;
    return {{0.5 - away, 0.5, 0.5 + away}, {5.0 / 18, 8.0 / 18, 5.0 / 18}};
  }
  const double near = 0.5 * std::sqrt(3.0 / 7 - 2.0 / 7 * std::sqrt(6.0 / 5));
  const double far = 0.5 * std::sqrt(3.0 / 7 + 2.0 / 7 * std::sqrt(6.0 / 5));
  const double more = (18 + std::sqrt(30.0)) / 72;
  const double less = (18 - std::sqrt(30.0)) / 72;
  return {{0.5 - far, 0.5 - near, 0.5 + near, 0.5 + far}, {less, more, more, less}};
}

// Of an empty batch, too.
at::Tensor flat(const at::Tensor& t) { return t.dim() == 1 ? t.unsqueeze(1) : t.flatten(1); }
at::Tensor real_part(const at::Tensor& t) { return t.is_complex() ? at::real(t) : t; }
at::Tensor real_product(const at::Tensor& x, const at::Tensor& y) {
  return real_part((flat(x).conj() * flat(y)).sum(1)).to(at::kDouble);
}

// The pass. Closures of its solve share it, since a backward pass through them comes later.
class Pass : public std::enable_shared_from_this<Pass> {
 public:
  explicit Pass(AdjointProblem problem)
      : p_(std::move(problem)), width_(flat(p_.y0).size(1)), missed_(p_.y0.size(0), 0.0) {
    if (p_.frozen.reported) give_up_unknown();
    if (!p_.frozen.finished.all()) {
      dead_ = to_mask(p_.frozen.finished, p_.y0).logical_not();
      const at::Tensor rows = dead_.unsqueeze(1);
      asked_ = (p_.gradient.detach() != 0).flatten(1).any(1);
      p_.gradient = at::where(rows, at::zeros_like(p_.gradient), p_.gradient);
      p_.values = at::where(rows, p_.y0.unsqueeze(1).expand_as(p_.values), p_.values);
    }
    if (!p_.reconstructs) {
      const at::Tensor ends = p_.values.slice(1, p_.frozen.times.size(-1));
      between_ = p_.frozen.between(at::cat({p_.y0.unsqueeze(1), ends}, 1));
    }
    scale_ = flat(p_.gradient.detach()).abs().amax(1, /*keepdim=*/true);
    scale_ = at::where(scale_ > 0, scale_, at::ones_like(scale_));
    plan();
  }

  AdjointResult run(std::size_t edges, const AddCaptured& add) {
    const bool graph = at::GradMode::is_enabled();
    AdjointResult result;
    result.sums.resize(edges);
    if (graph) p_.options.save = ode::SaveDense{};
    const auto lead_to_start = [&](const std::shared_ptr<Problem>& problem, const at::Tensor& from,
                                   const at::Tensor& start) {
      // Without a graph also where nothing was captured, to notice what f reads later.
      if (!graph) problem->each_step = [&](const SeenStep& step) { integrate_step(step, add, result.sums); };
      const at::Tensor way = at::stack({from, time(0)}, -1);
      ode::Solution<at::Tensor> found = solve(problem, start, ode::Times(way), p_.options);
      if (graph) integrate_all(found, add, result.sums);
      return found;
    };
    for (const ShortWay& way : short_ways_) {
      const at::Tensor start = joined(column(way.output), way.gradient / scale_);
      const auto led = lead_to_start(std::make_shared<Problem>(field()), way.from, start);
      beside_start_ = beside_start_ + adjoint_in(led.value.select(1, 1)) * scale_;
    }
    const auto problem = std::make_shared<Problem>(field());
    if (!kicks_.empty()) {
      problem->jump = [self = shared_from_this()](const std::vector<std::int64_t>& columns,
                                                  const at::Tensor& /*t*/,
                                                  const at::Tensor& z) { return self->kick(columns, z); };
      p_.options.jumps.times = at::stack(kick_times_, -1);
    }
    const std::int64_t last = p_.frozen.times.size(-1) - 1;
    const at::Tensor start = joined(column(last), initial_ / scale_);
    finish(lead_to_start(problem, time(last), start), result);
    return result;
  }

 private:
  std::int64_t columns() const { return p_.values.size(1); }
  at::Tensor time(std::int64_t k) const { return p_.times.select(-1, k); }
  at::Tensor column(std::int64_t k) const { return flat(p_.values.select(1, k)); }
  at::Tensor gradient(std::int64_t k) const { return flat(p_.gradient.select(1, k)); }
  at::Tensor joined(const at::Tensor& y, const at::Tensor& a) const {
    return p_.reconstructs ? at::cat({y, a}, 1) : a;
  }
  at::Tensor adjoint_in(const at::Tensor& z) const {
    return p_.reconstructs ? z.narrow(1, width_, width_) : z;
  }
  at::Tensor y_at(const at::Tensor& t, const at::Tensor& z) const {
    return p_.reconstructs ? z.narrow(1, 0, width_).reshape(p_.y0.sizes()) : between_(t);
  }

  // A sample that failed in a later segment has NaN as its gradient here.
  void give_up_unknown() {
    const at::Tensor known = p_.gradient.detach().flatten(1).isfinite().all(1);
    const std::vector<double> marks = to_host(known.to(at::kDouble));
    for (std::size_t b = 0; b < marks.size(); ++b) p_.frozen.finished[b] &= marks[b] != 0.0 ? 1 : 0;
  }

  // Where the adjoint starts, what it is kicked by on its way, and what is left for its end.
  void plan() {
    initial_ = at::zeros_like(gradient(0));
    final_ = gradient(0);
    beside_start_ = at::zeros_like(initial_);
    const std::int64_t last = p_.frozen.times.size(-1) - 1;
    const bool graph = at::GradMode::is_enabled();
    for (std::int64_t k = 1; k < columns(); ++k) {
      const at::Tensor g = gradient(k);
      // Where y is put back, an output counts without a gradient, too.
      if (!graph && !p_.reconstructs && at::count_nonzero(g).item<std::int64_t>() == 0) continue;
      const auto as_rows = [&](const at::Tensor& mask) { return mask.dim() == 0 ? mask : mask.unsqueeze(1); };
      // Under a graph, an output beside the last one or the first may move by itself: it is met on the way,
      // or has a way of its own.
      const bool moves = graph && k < last;
      const at::Tensor as_first = time(k) == time(0), as_last = time(k) == time(last);
      const at::Tensor at_last = moves ? at::zeros_like(as_last) : as_last;
      const at::Tensor at_first = moves ? as_first : at::logical_and(as_first, at_last.logical_not());
      const at::Tensor nothing = at::zeros_like(g);
      initial_ = initial_ + at::where(as_rows(at_last), g, nothing);
      if (!moves) {
        beside_start_ = beside_start_ + at::where(as_rows(at_first), g, nothing);
      } else if (at_first.any().item<bool>()) {
        short_ways_.push_back(
            {k, at::where(at_first, time(k), time(0)), at::where(as_rows(at_first), g, nothing)});
      }
      const at::Tensor between =
          at::logical_and(at::logical_or(at_last, at_first).logical_not(), time(k).isnan().logical_not());
      if (!between.any().item<bool>()) continue;
      kicks_.push_back(k);
      kick_times_.push_back(at::where(between, time(k), time(0)));
    }
  }

  at::Tensor slope(const at::Tensor& t, const at::Tensor& y) const {
    at::Tensor as_f_gets_it = t;
    if (t.defined() && t.dim() > 0) {
      std::vector<std::int64_t> shape(y.dim(), 1);
      shape[0] = t.size(0);
      as_f_gets_it = t.reshape(shape);
    }
    const ode::VectorField& f = *p_.frozen.field;
    at::Tensor slope = f.divisible ? f.divisible(as_f_gets_it, y, f.inputs) : f.slope(as_f_gets_it, y);
    return dead_.defined() ? at::where(dead_, at::zeros_like(slope), slope) : slope;
  }

  Problem field() {
    ode::VectorField field([self = shared_from_this()](const at::Tensor& t, const at::Tensor& z) {
      const at::Tensor y = self->y_at(t, z);
      const at::Tensor a = self->adjoint_in(z).reshape(y.sizes());
      return at::GradMode::is_enabled() ? self->recorded(t, y, a) : self->plain(t, y, a);
    });
    field.takes_time = p_.frozen.field->takes_time || !p_.reconstructs;
    return {std::move(field), p_.options.method};
  }

  at::Tensor plain(const at::Tensor& t, const at::Tensor& y, const at::Tensor& a) {
    const auto tape = std::make_shared<const Tape>([&](const at::Tensor& at) { return slope(t, at); }, y);
    at::Tensor dz = joined(flat(tape->value()), -flat(tape->vjp(a))).contiguous();
    // Slopes at implicit stages are no evaluations.
    const bool stages_known = p_.frozen.joint && !p_.options.method.tableau()->is_implicit();
    if (stages_known) evaluated_.insert({dz.unsafeGetTensorImpl(), {dz, tape, t, a}});
    return dz;
  }

  at::Tensor recorded(const at::Tensor& t, const at::Tensor& y, const at::Tensor& a) const {
    const at::Tensor from = y.requires_grad() ? y : y.detach().requires_grad_(true);
    const at::Tensor dy = slope(t, from);
    at::Tensor da;
    if (dy.requires_grad()) da = torch::autograd::grad({dy}, {from}, {a}, true, true, true)[0];
    if (!da.defined()) da = at::zeros_like(a);
    return joined(flat(dy), -flat(da));
  }

  // At an output: the adjoint takes its gradient, and y is put back to what it had been.
  at::Tensor kick(const std::vector<std::int64_t>& at, const at::Tensor& z) {
    at::Tensor y = z.narrow(1, 0, width_);
    at::Tensor g = at::zeros_like(y);
    for (std::size_t j = 0; j < kicks_.size(); ++j) {
      Mask here(z.size(0));
      for (std::size_t b = 0; b < here.size(); ++b)
        here[b] = at[at.size() == 1 ? 0 : b] == static_cast<std::int64_t>(j);
      if (!here.any()) continue;
      const at::Tensor rows = to_mask(here, y);
      // Records of a step come here again, and the one that finds out what is captured comes with any y.
      if (p_.reconstructs && !at::GradMode::is_enabled()) measure(y, column(kicks_[j]), here);
      y = at::where(rows, column(kicks_[j]), y);
      g = at::where(rows, gradient(kicks_[j]) / scale_, g);
    }
    return joined(y, adjoint_in(z) + g);
  }

  // By how much y misses what it had been, in these samples.
  void measure(const at::Tensor& found, const at::Tensor& right, const Mask& here) {
    const at::NoGradGuard no_grad;
    const Limits limits(p_.options.tolerance, p_.y0.scalar_type());
    // The unit is that of the right y alone: beside a y that has run away, nothing would be large.
    const at::Tensor y = right.contiguous();
    const std::vector<double> by =
        error_norms({found.contiguous(), y}, {1.0, -1.0}, {1.0}, y, y, limits.absolute, limits.relative);
    for (std::size_t b = 0; b < by.size(); ++b) {
      if (!here[b] || !p_.frozen.finished[b]) continue;
      missed_[b] = std::isnan(by[b]) ? std::numeric_limits<double>::infinity() : std::max(missed_[b], by[b]);
    }
  }

  void add_node(const at::Tensor& t, const at::Tensor& y, const at::Tensor& a, const AddCaptured& add,
                variable_list& sums) const {
    const bool graph = at::GradMode::is_enabled();
    const Tape tape([&](const at::Tensor& at) { return slope(t, at); }, y,
                    graph ? Tape::Input::Connected : Tape::Input::Detached);
    add(tape, tape.pull_back(a.reshape(y.sizes()), graph), t, sums);
  }

  // The part of the captured tensors' gradients that belongs to a step. Backwards, lengths are negative.
  void integrate_step(const SeenStep& step, const AddCaptured& add, variable_list& sums) {
    const bool all_known = std::ranges::all_of(step.slopes, [&](const at::Tensor& slope) {
      return evaluated_.contains(slope.unsafeGetTensorImpl());
    });
    if (all_known) {
      by_stages(step, add, sums);
    } else {
      by_nodes(step, add, sums);
    }
  }

  // By the sum that the method makes of its stages, from what is recorded of them. The last one may be the
  // first of the next step.
  void by_stages(const SeenStep& step, const AddCaptured& add, variable_list& sums) {
    const std::vector<double>& weights = p_.options.method.tableau()->b;
    const double length = step.span.end[0] - step.span.start[0];
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] == 0.0) continue;
      const Evaluated& stage = evaluated_.at(step.slopes[i].unsafeGetTensorImpl());
      const at::Tensor a = flat(stage.a) * scale_ * (-weights[i] * length);
      const at::Tensor taken = step.moving.all() ? a : select_rows(step.moving, a, at::zeros_like(a));
      add(*stage.tape, stage.tape->pull_back(taken.reshape(p_.y0.sizes())), stage.t, sums);
    }
    auto last = evaluated_.extract(step.slopes.back().unsafeGetTensorImpl());
    evaluated_.clear();
    evaluated_.insert(std::move(last));
  }

  void by_nodes(const SeenStep& step, const AddCaptured& add, variable_list& sums) const {
    const Span& span = step.span;
    const Quadrature rule = quadrature_for(p_.options.method.order());
    for (std::size_t i = 0; i < rule.nodes.size(); ++i) {
      std::vector<double> times(span.start.size());
      std::vector<double> weights(step.moving.size());
      for (std::size_t n = 0; n < times.size(); ++n)
        times[n] = span.start[n] + rule.nodes[i] * (span.end[n] - span.start[n]);
      for (std::size_t b = 0; b < weights.size(); ++b) {
        const std::size_t n = span.joint ? 0 : b;
        weights[b] = -rule.weights[i] * (span.end[n] - span.start[n]);
      }
      const at::Tensor inside = step.inside(times);
      const at::Tensor z = select_rows(step.moving, inside, at::zeros_like(inside));
      const at::Tensor t = as_time(times, span.joint, z);
      const at::Tensor a = adjoint_in(z) * scale_ * to_column(weights, initial_);
      add_node(t, y_at(t, z), a, add, sums);
    }
  }

  // The same for all steps of a solve, differentiable.
  void integrate_all(const ode::Solution<at::Tensor>& found, const AddCaptured& add,
                     variable_list& sums) const {
    const Quadrature rule = quadrature_for(p_.options.method.order());
    const at::Tensor ends = p_.frozen.joint ? found.steps.time.select(0, 0) : found.steps.time;
    for (std::int64_t s = 1; s < ends.size(-1); ++s) {
      const at::Tensor taken = ends.select(-1, s).isnan().logical_not();
      const at::Tensor from = at::where(taken, ends.select(-1, s - 1), time(0));
      const at::Tensor length =
          at::where(taken, ends.select(-1, s) - ends.select(-1, s - 1), at::zeros_like(from));
      for (std::size_t i = 0; i < rule.nodes.size(); ++i) {
        const at::Tensor exact = from + rule.nodes[i] * length;
        const at::Tensor z = found.dense(exact.unsqueeze(-1)).select(1, 0);
        const at::Tensor t = against(exact, z);
        const at::Tensor a = adjoint_in(z) * scale_ * against(-rule.weights[i] * length, z);
        add_node(t, y_at(t, z), a, add, sums);
      }
    }
  }

  void finish(const ode::Solution<at::Tensor>& found, AdjointResult& result) {
    const at::Tensor z = found.value.select(1, 1);
    at::Tensor a = adjoint_in(z) * scale_ + beside_start_;
    if (p_.reconstructs) measure(z.narrow(1, 0, width_), flat(p_.y0), Mask(missed_.size(), true));
    result.stats = found.stats;
    if (p_.reconstructs) result.stats.reconstruction = missed_;
    result.y0 = (a + final_).reshape(p_.y0.sizes());
    if (dead_.defined()) {
      const at::Tensor unknown = at::logical_and(dead_.flatten(), asked_).unsqueeze(1);
      const at::Tensor nan = at::full_like(a, kNaN).detach();
      result.y0 = at::where(unknown, nan, a + final_).reshape(p_.y0.sizes());
      if (unknown.any().item<bool>()) spoil(result.sums);
    }
    if (!found.stats.finished()) spoil(result.sums);
    result.times = gradient_of_times(a);
  }

  // What is summed over the batch is unknown if one sample's part is.
  void spoil(variable_list& sums) const {
    for (at::Tensor& sum : sums) {
      if (sum.defined()) sum = at::full_like(sum, kNaN).detach();
    }
  }

  at::Tensor gradient_of_times(const at::Tensor& a) const {
    if (!p_.frozen.column_times.requires_grad()) return {};
    const auto reduced = [&](const at::Tensor& rows) { return p_.frozen.joint ? rows.sum() : rows; };
    const auto f_at = [&](std::int64_t k) {
      return slope(against(time(k), p_.y0), k == 0 ? p_.y0 : p_.values.select(1, k));
    };
    State parts{reduced(-real_product(a, f_at(0)))};
    for (std::int64_t k = 1; k < columns(); ++k) {
      const bool none =
          !gradient(k).requires_grad() && at::count_nonzero(gradient(k)).item<std::int64_t>() == 0;
      parts.push_back(none ? at::zeros_like(parts[0]).detach() : reduced(real_product(gradient(k), f_at(k))));
    }
    return at::stack(parts, -1);
  }

  // An evaluation of the field, kept until it is known whether its step is taken. What it gave is the key,
  // and is held so that nothing else can take its place in memory.
  struct Evaluated {
    at::Tensor value;
    std::shared_ptr<const Tape> tape;
    at::Tensor t;
    at::Tensor a;
  };

  // Of an output that stands beside the first time, from its own time to that one.
  struct ShortWay {
    std::int64_t output;
    at::Tensor from;
    at::Tensor gradient;
  };

  AdjointProblem p_;
  std::int64_t width_;
  std::unordered_map<at::TensorImpl*, Evaluated> evaluated_;
  std::vector<double> missed_;
  std::function<at::Tensor(const at::Tensor& t)> between_;
  at::Tensor dead_;   // rows that did not finish; undefined: none
  at::Tensor asked_;  // rows that have a gradient
  at::Tensor scale_;  // of the adjoint, `[B, 1]`
  at::Tensor initial_;
  at::Tensor beside_start_;  // of later outputs at the first time
  at::Tensor final_;
  std::vector<std::int64_t> kicks_;  // columns
  State kick_times_;
  std::vector<ShortWay> short_ways_;
};

}  // namespace

AdjointResult solve_adjoint(const AdjointProblem& problem, std::size_t edges, const AddCaptured& add) {
  return std::make_shared<Pass>(problem)->run(edges, add);
}

}  // namespace stillpoint::detail
