#include "stillpoint/ode/gradients/continuous.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "autograd/evaluation.h"
#include "autograd/layer_node.h"
#include "core/report_lock.h"
#include "ode/adjoint/adjoint_pass.h"
#include "ode/control/step_control.h"

namespace stillpoint::ode {
namespace {

using stillpoint::detail::AdjointResult;
using torch::autograd::Edge;
using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

struct Rule {
  OdeintOptions options;  // of the backward solve
  bool reconstructs;
  double most_missed;
};

// The report on several segments: what they took together, and the first failure of a sample.
void add_segment(const Stats& segment, Stats& all) {
  for (std::size_t b = 0; b < all.status.size(); ++b) {
    if (all.status[b] == Status::Finished) {
      all.status[b] = segment.status[b];
      all.time[b] = segment.time[b];
    }
    all.accepted[b] += segment.accepted[b];
    all.rejected[b] += segment.rejected[b];
  }
  for (std::size_t b = 0; b < all.reconstruction.size(); ++b)
    all.reconstruction[b] = std::max(all.reconstruction[b], segment.reconstruction[b]);
  all.evaluations += segment.evaluations;
  all.sample_evaluations += segment.sample_evaluations;
}

class SavedAdjoint : public stillpoint::detail::Saved {
 public:
  SavedAdjoint(const Frozen& frozen, const Tape& probe, Rule rule, std::size_t captured)
      : frozen_(frozen),
        rule_(std::move(rule)),
        evaluation_(probe),
        captured_(probe.captured().begin(), probe.captured().begin() + static_cast<std::ptrdiff_t>(captured)),
        report_(frozen.stats->backward),
        y0_(frozen.y0, /*is_output=*/false),
        times_(frozen.column_times, /*is_output=*/false) {
    frozen_.y0.reset();
    frozen_.values.reset();
    frozen_.options = nullptr;
    frozen_.stats = nullptr;
  }
  void save(const at::Tensor& out) { out_ = SavedVariable(out, /*is_output=*/true); }

  variable_list differentiate(const std::shared_ptr<Node>& node, const at::Tensor& g) const override {
    const at::Tensor y0 = y0_.unpack();
    if (frozen_.reported && !at::GradMode::is_enabled() && at::count_nonzero(g).item<std::int64_t>() == 0) {
      report(nothing_done(y0.size(0)));
      return variable_list(2 + captured_.size());
    }
    evaluation_.expect_same(Tape(stillpoint::detail::evaluated_again(frozen_.probe), y0));
    const AdjointResult found = stillpoint::detail::solve_adjoint(
        {.frozen = frozen_,
         .options = rule_.options,
         .reconstructs = rule_.reconstructs,
         .y0 = y0,
         .values = out_.unpack(node),
         .times = times_.unpack(),
         .gradient = g},
        captured_.size(),
        [this](const Tape& tape, const variable_list& gradients, const at::Tensor& time,
               variable_list& sums) { add(tape, gradients, time, sums); });
    report(found.stats);
    variable_list result{found.y0};
    result.insert(result.end(), found.sums.begin(), found.sums.end());
    result.push_back(found.times);
    return result;
  }

 private:
  void add(const Tape& tape, const variable_list& gradients, const at::Tensor& time,
           variable_list& sums) const {
    Edge of_time;
    if (time.defined() && time.requires_grad()) of_time = torch::autograd::impl::gradient_edge(time);
    for (std::size_t i = 0; i < tape.captured().size(); ++i) {
      if (tape.captured()[i] == of_time) continue;
      const auto found = std::find(captured_.begin(), captured_.end(), tape.captured()[i]);
      TORCH_CHECK(
          found != captured_.end(),
          "f: expected it to read the same tensors that require gradients all the way, but it reads others "
          "than where the solve starts; the gradient rule ode::Unrolled finds them");
      if (!gradients[i].defined()) continue;
      at::Tensor& sum = sums[found - captured_.begin()];
      sum = sum.defined() ? sum + gradients[i] : gradients[i];
    }
  }

  // Of a segment that the loss does not look at.
  Stats nothing_done(std::int64_t batch) const {
    const auto samples = static_cast<std::size_t>(batch);
    Stats stats;
    stats.method = rule_.options.method.name();
    stats.status.resize(samples, Status::Finished);
    stats.time.resize(samples, times_.unpack().flatten()[0].item<double>());
    stats.accepted.resize(samples, 0);
    stats.rejected.resize(samples, 0);
    if (rule_.reconstructs) stats.reconstruction.resize(samples, 0.0);
    return stats;
  }

  void report(Stats stats) const {
    const double missed = stats.reconstruction.empty()
                              ? 0.0
                              : *std::max_element(stats.reconstruction.begin(), stats.reconstruction.end());
    const bool misses = missed > rule_.most_missed;
    report_failure(stats, rule_.options.on_failure);
    {
      const std::lock_guard<std::mutex> lock(stillpoint::detail::report_lock);
      // A backward pass goes through segments from the last to the first.
      if (frozen_.reported && frozen_.segment < std::exchange(*frozen_.reported, frozen_.segment)) {
        add_segment(stats, *report_);
      } else {
        *report_ = std::move(stats);
      }
    }
    if (!misses || rule_.options.on_failure == OnFailure::Ignore) return;
    const auto message =
        c10::str("backward pass of ode::Backsolve: y, taken back, missed what it had been by ", missed,
                 " tolerances, so its gradient is not to be trusted; take ode::Interpolating, which "
                 "does not take y back, or ode::Discrete");
    TORCH_CHECK(rule_.options.on_failure != OnFailure::Throw, message);
    TORCH_WARN(message);
  }

  Frozen frozen_;
  Rule rule_;
  stillpoint::detail::Evaluation evaluation_;
  edge_list captured_;
  std::shared_ptr<Stats> report_;
  SavedVariable y0_;
  SavedVariable times_;
  SavedVariable out_;
};

template <class Choice>
OdeintOptions backward_options(const Choice& choice, const Frozen& frozen, const char* name) {
  const OdeintOptions& given = *frozen.options;
  OdeintOptions options;
  options.method = choice.method ? *choice.method : given.method.without_jacobian();
  TORCH_CHECK(options.method.tableau() != nullptr, "gradient: ode::", name,
              " expects a method with a tableau for the backward solve, got ", options.method.name(),
              "; give it one of its own, such as ode::Tsit5");
  options.control = choice.control.value_or(given.control);
  options.tolerance = choice.tolerance.value_or(given.tolerance);
  options.steps = frozen.joint ? Steps::Joint : Steps::PerSample;
  options.max_steps = choice.max_steps.value_or(given.max_steps);
  options.on_failure = choice.on_failure;
  TORCH_CHECK(options.method.embedded_order() > 0 || std::holds_alternative<ConstantStep>(options.control),
              "gradient: the method of ode::", name, " expects an estimate of the error, which ",
              options.method.name(), " does not have, or ConstantStep as its control");
  stillpoint::detail::check_control(options.control);
  TORCH_CHECK(options.max_steps >= 0, "max_steps: ode::", name, " expects a number ≥ 0, got ",
              options.max_steps);
  return options;
}

at::Tensor attach_adjoint(const Frozen& frozen, Rule rule) {
  const Tape probe(stillpoint::detail::without_transform(frozen.probe), frozen.y0);
  edge_list edges{torch::autograd::impl::gradient_edge(frozen.y0)};
  edges.insert(edges.end(), probe.captured().begin(), probe.captured().end());
  edges.push_back(frozen.column_times.requires_grad()
                      ? torch::autograd::impl::gradient_edge(frozen.column_times)
                      : Edge());
  if (std::none_of(edges.begin(), edges.end(), [](const Edge& edge) { return edge.is_valid(); }))
    return frozen.values;
  if (!frozen.stats->backward) frozen.stats->backward = std::make_shared<Stats>();
  const auto saved = std::make_shared<SavedAdjoint>(frozen, probe, std::move(rule), probe.captured().size());
  at::Tensor out = frozen.values.detach();
  stillpoint::detail::attach(out, "StillpointOdeint", std::move(edges), saved);
  saved->save(out);
  return out;
}

}  // namespace

at::Tensor Interpolating::differentiate(const Frozen& frozen) const {
  return attach_adjoint(frozen, {backward_options(*this, frozen, "Interpolating"), /*reconstructs=*/false,
                                 /*most_missed=*/0.0});
}

at::Tensor Backsolve::differentiate(const Frozen& frozen) const {
  TORCH_CHECK(most_missed > 0.0, "most_missed: expected a number > 0, got ", most_missed);
  return attach_adjoint(frozen,
                        {backward_options(*this, frozen, "Backsolve"), /*reconstructs=*/true, most_missed});
}

}  // namespace stillpoint::ode
