#include "stillpoint/equations/gradients/reversible_gradient.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "autograd/evaluation.h"
#include "autograd/layer_node.h"
#include "core/report_lock.h"
#include "core/rows/rows.h"
#include "stillpoint/autograd/tape.h"
#include "stillpoint/equations/solvers/reversible.h"

namespace stillpoint {
namespace {

using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// The state of Reversible, in double, `[B, …]` each.
struct Pair {
  at::Tensor z;
  at::Tensor y;

  static Pair of(const State& state) { return {state[0], state[1]}; }
};

// The x of (1 − mixing) x + mixing fx, for the samples that took the step.
at::Tensor unmix(const at::Tensor& mixed, const at::Tensor& fx, double mixing, const Mask& moved) {
  return detail::select_rows(moved, at::sub(mixed, fx, mixing) / (1.0 - mixing), mixed);
}

// How far each sample came back beside the points that the iteration had passed.
class Drift {
 public:
  Drift(Norm norm, std::size_t batch) : norm_(norm), largest_(batch, 0.0) {}

  void compare(const Pair& back, const Pair& passed) {
    const std::vector<double> y = detail::row_norms((back.y - passed.y).contiguous(), norm_);
    const std::vector<double> z = detail::row_norms((back.z - passed.z).contiguous(), norm_);
    for (std::size_t b = 0; b < largest_.size(); ++b) {
      const double both = y[b] < z[b] || std::isnan(z[b]) ? z[b] : y[b];
      if (!(both <= largest_[b])) largest_[b] = both;
    }
  }

  void write(const at::Tensor& z, const ResolvedTolerance& tolerance, Stats& stats) const {
    const std::vector<double> scale = detail::row_norms(z, norm_);
    stats.residual = largest_;
    stats.status.assign(largest_.size(), Status::Converged);
    for (std::size_t b = 0; b < largest_.size(); ++b) {
      if (largest_[b] <= tolerance.allowed(scale[b])) continue;
      stats.status[b] = std::isfinite(largest_[b]) ? Status::Inaccurate : Status::NonFinite;
    }
  }

 private:
  Norm norm_;
  std::vector<double> largest_;
};

// What the iteration went through, as far as the backward pass needs it.
struct Course {
  std::vector<Step> steps;  // without the states that they led to
  Pair start;
  Pair end;
  std::vector<Pair> checkpoints;  // the pair after each `checkpoint_every` steps

  std::int64_t length() const { return static_cast<std::int64_t>(steps.size()); }
  std::vector<std::int64_t> steps_of_each(std::size_t batch) const {
    std::vector<std::int64_t> counts(batch, 0);
    for (const Step& step : steps) {
      for (std::size_t b = 0; b < batch; ++b) counts[b] += step.moved[b];
    }
    return counts;
  }
};

Course run(const Problem& problem, std::int64_t checkpoint_every) {
  const at::NoGradGuard no_grad;
  State state = problem.start();
  Course course;
  course.start = course.end = Pair::of(state);
  while (std::optional<Step> step = problem.next(state)) {
    state = std::move(step->next);
    course.end = Pair::of(state);
    course.steps.push_back({.next = {}, .again = std::move(step->again), .moved = std::move(step->moved)});
    if (checkpoint_every > 0 && course.length() % checkpoint_every == 0)
      course.checkpoints.push_back(course.end);
  }
  return course;
}

void accumulate(at::Tensor& sum, const at::Tensor& term) {
  if (term.defined()) sum = sum.defined() ? sum + term : term;
}

struct SavedReversible : detail::Saved {
  SavedReversible(const Reversible& reversible, Map map, detail::Evaluation at_start, Course went)
      : solver(reversible), f(std::move(map)), evaluation(std::move(at_start)), course(std::move(went)) {}

  Reversible solver;
  Map f;  // of the pair's tensors, in double
  detail::Evaluation evaluation;
  Course course;
  std::int64_t checkpoint_every = 0;
  ResolvedTolerance tolerance;  // of the drift
  OnFailure on_failure = OnFailure::Warn;
  std::shared_ptr<Stats> stats;
  SavedVariable start, out;

  variable_list differentiate(const std::shared_ptr<Node>& node, const at::Tensor& g) const override {
    const at::Tensor z = out.unpack(node).detach();  // throws if edited
    Drift drift(tolerance.norm, z.size(0));
    const bool create_graph = at::GradMode::is_enabled();
    variable_list result = create_graph ? iterate_again(g) : run_backwards(g, node->num_outputs(), drift);
    report(drift, z, create_graph);
    return result;
  }

  // All steps once more, recorded: exact to any order.
  variable_list iterate_again(const at::Tensor& g) const {
    if (course.steps.empty()) {
      variable_list result(1 + evaluation.captures());
      result[0] = g;
      return result;
    }
    const Map whole = [this, dtype = g.scalar_type()](const at::Tensor& z0) {
      State state = solver.init(z0);
      for (const Step& step : course.steps) state = step.again(state);
      return state[0].to(dtype);
    };
    const Tape tape(detail::evaluated_again(whole), start.unpack(), Tape::Input::Connected);
    evaluation.expect_same_captures(tape);
    TORCH_CHECK(
        detail::disagreement(tape.value(), course.end.z.to(g.scalar_type())) == 0.0,
        "f: expected the same iteration again in the backward pass, but it led elsewhere than in the forward "
        "pass: something that f reads has been edited since, or f is random");
    return tape.pull_back_all(g, /*create_graph=*/true);
  }

  // The steps backwards, each found from where it led.
  variable_list run_backwards(const at::Tensor& g, std::size_t inputs, Drift& drift) const {
    const double mixing = solver.mixing;
    Pair pair = course.end;
    Pair gradient{g.to(at::kDouble), at::zeros_like(pair.y)};
    variable_list result(inputs);
    for (std::int64_t k = course.length() - 1; k >= 0; --k) {
      const Mask& moved = course.steps[k].moved;
      const Tape at_y(f, pair.y);
      pair.z = unmix(pair.z, at_y.value(), mixing, moved);
      pull_back(at_y, moved, gradient.z, gradient.y, result);
      const Tape at_z(f, pair.z);
      pair.y = unmix(pair.y, at_z.value(), mixing, moved);
      pull_back(at_z, moved, gradient.y, gradient.z, result);
      const bool kept = checkpoint_every > 0 && k % checkpoint_every == 0;
      if (k > 0 && !kept) continue;
      const Pair& passed = k > 0 ? course.checkpoints[k / checkpoint_every - 1] : course.start;
      drift.compare(pair, passed);
      pair = passed;
    }
    accumulate(result[0], (gradient.y + gradient.z).to(g.scalar_type()));
    return result;
  }

  // Of x' = (1 − mixing) x + mixing f(w): takes the gradient of x' to those of x, of w and of what f
  // captured.
  void pull_back(const Tape& f_at_w, const Mask& moved, at::Tensor& of_x, at::Tensor& of_w,
                 variable_list& result) const {
    evaluation.expect_same_captures(f_at_w);
    const at::Tensor v = detail::select_rows(moved, solver.mixing * of_x, at::zeros_like(of_x));
    const variable_list parts = f_at_w.pull_back_all(v);
    of_x = detail::select_rows(moved, (1.0 - solver.mixing) * of_x, of_x);
    accumulate(of_w, parts[0]);
    for (std::size_t i = 1; i < parts.size(); ++i) accumulate(result[i], parts[i]);
  }

  void report(const Drift& drift, const at::Tensor& z, bool create_graph) const {
    Stats reversal;
    reversal.advice = [](Status) {
      return "rounding has grown in the reversal: keep checkpoints (checkpoint_every), take fewer steps, or "
             "use "
             "ImplicitGradient";
    };
    reversal.method = create_graph ? "iteration again from z0" : "reversal";
    reversal.iterations = course.steps_of_each(z.size(0));
    reversal.evaluations = 2 * course.length();
    reversal.jacobian_products = 2 * course.length();
    drift.write(z, tolerance, reversal);
    {
      const std::lock_guard<std::mutex> lock(detail::report_lock);
      *stats = reversal;
    }
    report_failure(reversal, on_failure);
  }
};

Map in_double(Map f, at::ScalarType dtype) {
  if (dtype == at::kDouble) return f;
  return [f = std::move(f), dtype](const at::Tensor& z) { return f(z.to(dtype)).to(at::kDouble); };
}

}  // namespace

at::Tensor ReversibleGradient::differentiate(Problem& problem) const {
  const auto* solver = problem.solver.target<Reversible>();
  TORCH_CHECK(solver != nullptr,
              "gradient: ReversibleGradient runs the iteration of Reversible backwards, but the solver is ",
              problem.solver.name(), "; use Reversible, or ImplicitGradient with any solver");
  TORCH_CHECK(checkpoint_every >= 0, "ReversibleGradient.checkpoint_every: expected ≥ 0, got ",
              checkpoint_every);
  const at::ScalarType dtype = problem.z0.scalar_type();
  const ResolvedTolerance resolved = drift.resolved(dtype);
  edge_list edges{torch::autograd::impl::gradient_edge(problem.z0)};
  std::optional<detail::Evaluation> evaluation;
  {
    const Tape tape = problem.f.record(problem.z0);
    edges.insert(edges.end(), tape.captured().begin(), tape.captured().end());
    evaluation.emplace(tape);
  }
  Course course = run(problem, checkpoint_every);
  at::Tensor out = course.end.z.to(dtype).detach();
  problem.settle(out);
  if (edges.size() == 1 && !edges[0].is_valid()) return out;

  Map f = detail::evaluated_again(in_double(problem.f.checked().map, dtype));
  const auto saved =
      std::make_shared<SavedReversible>(*solver, std::move(f), std::move(*evaluation), std::move(course));
  saved->checkpoint_every = checkpoint_every;
  saved->tolerance = resolved;
  saved->on_failure = problem.on_failure;
  saved->stats = problem.stats.backward = std::make_shared<Stats>();
  saved->start = SavedVariable(problem.z0, /*is_output=*/false);
  detail::attach(out, "StillpointReversible", std::move(edges), saved);
  saved->out = SavedVariable(out, /*is_output=*/true);
  return out;
}

}  // namespace stillpoint
