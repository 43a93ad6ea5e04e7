#include "stillpoint/equations/gradients/reversible_gradient.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
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

#include "autograd/evaluation.h"
#include "autograd/layer_node.h"
#include "core/report_lock.h"
#include "core/rows/rows.h"
#include "equations/solvers/coupled_iteration.h"
#include "stillpoint/autograd/tape.h"

namespace stillpoint {
namespace {

using detail::CoupledPair;
using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// How far each sample came back beside the points that the iteration had passed.
class Drift {
 public:
  Drift(Norm norm, std::size_t batch) : norm_(norm), largest_(batch, 0.0) {}

  void compare(const CoupledPair& back, const CoupledPair& passed) {
    const std::vector<double> y = detail::row_norms((back.y - passed.y).contiguous(), norm_);
    const std::vector<double> z = detail::row_norms((back.z - passed.z).contiguous(), norm_);
    for (std::size_t b = 0; b < largest_.size(); ++b) {
      const double both = y[b] < z[b] || std::isnan(z[b]) ? z[b] : y[b];
      if (!(both <= largest_[b])) largest_[b] = both;
    }
  }

  void write(const at::Tensor& z, const Tolerance& tolerance, Stats& stats) const {
    const std::vector<double> scale = detail::row_norms(z, norm_);
    stats.residual = largest_;
    stats.status.assign(largest_.size(), Status::Converged);
    for (std::size_t b = 0; b < largest_.size(); ++b) {
      if (largest_[b] <= *tolerance.absolute + *tolerance.relative * scale[b]) continue;
      stats.status[b] = std::isfinite(largest_[b]) ? Status::Inaccurate : Status::NonFinite;
    }
  }

 private:
  Norm norm_;
  std::vector<double> largest_;
};

void accumulate(at::Tensor& sum, const at::Tensor& term) {
  if (term.defined()) sum = sum.defined() ? sum + term : term;
}

struct SavedReversible : detail::Saved {
  Map f;  // of the pair's tensors, in double
  double mixing = 0.0;
  std::int64_t checkpoint_every = 0;
  Tolerance tolerance;  // of the drift, resolved
  OnFailure on_failure = OnFailure::Warn;
  std::shared_ptr<Stats> stats;
  std::vector<std::int64_t> steps;  // that each sample took
  CoupledPair last;
  std::vector<CoupledPair> checkpoints;
  std::optional<detail::Evaluation> evaluation;  // at the start
  SavedVariable start, out;

  std::int64_t step_count() const { return steps.empty() ? 0 : *std::ranges::max_element(steps); }

  Mask running_at(std::int64_t step) const {
    Mask marks(steps.size());
    for (std::size_t b = 0; b < marks.size(); ++b) marks[b] = step < steps[b];
    return marks;
  }

  // All pairs from the start on, recorded.
  std::vector<CoupledPair> replay(const at::Tensor& z0) const {
    std::vector<CoupledPair> path{{z0, z0}};
    for (std::int64_t k = 0; k < step_count(); ++k) {
      const Mask running = running_at(k);
      CoupledPair next = path.back();
      next.y = detail::mix(next.y, f(next.z), mixing, running);
      next.z = detail::mix(next.z, f(next.y), mixing, running);
      path.push_back(std::move(next));
    }
    return path;
  }

  // Of x' = mix(x, f(w)): takes the gradient of x' to those of x, of w and of what f captured.
  void pull_back(const Tape& f_at_w, const Mask& running, at::Tensor& of_x, at::Tensor& of_w,
                 variable_list& result) const {
    const at::Tensor v = detail::select_rows(running, mixing * of_x, at::zeros_like(of_x));
    evaluation->expect_same_captures(f_at_w);
    const variable_list parts = f_at_w.pull_back_all(v, at::GradMode::is_enabled());
    of_x = detail::select_rows(running, (1.0 - mixing) * of_x, of_x);
    accumulate(of_w, parts[0]);
    for (std::size_t i = 1; i < parts.size(); ++i) accumulate(result[i], parts[i]);
  }

  variable_list differentiate(const std::shared_ptr<Node>& node, const at::Tensor& g) const override {
    const at::Tensor z = out.unpack(node).detach();  // throws if edited
    const bool create_graph = at::GradMode::is_enabled();
    const Tape::Input input = create_graph ? Tape::Input::Connected : Tape::Input::Detached;
    const at::Tensor z0 = start.unpack().to(at::kDouble);
    const std::vector<CoupledPair> path = create_graph ? replay(z0) : std::vector<CoupledPair>();
    TORCH_CHECK(
        !create_graph || detail::disagreement(path.back().z, last.z) == 0.0,
        "f: expected the same iteration again in the backward pass, but it led elsewhere than in the forward "
        "pass: something that f reads has been edited since, or f is random");
    CoupledPair pair = create_graph ? path.back() : last;
    CoupledPair gradient{at::zeros_like(last.y), g.to(at::kDouble)};
    Drift drift(tolerance.norm, steps.size());
    variable_list result(node->num_outputs());
    for (std::int64_t k = step_count() - 1; k >= 0; --k) {
      const Mask running = running_at(k);
      const Tape of_y(f, pair.y, input);
      pair.z = create_graph ? path[k].z : detail::unmix(pair.z, of_y.value(), mixing, running);
      pull_back(of_y, running, gradient.z, gradient.y, result);
      const Tape of_z(f, pair.z, input);
      pair.y = create_graph ? path[k].y : detail::unmix(pair.y, of_z.value(), mixing, running);
      pull_back(of_z, running, gradient.y, gradient.z, result);
      const bool kept = checkpoint_every > 0 && k % checkpoint_every == 0;
      if (create_graph || (k > 0 && !kept)) continue;
      const CoupledPair passed = k > 0 ? checkpoints[k / checkpoint_every - 1] : CoupledPair{z0, z0};
      drift.compare(pair, passed);
      pair = passed;
    }
    accumulate(result[0], (gradient.y + gradient.z).to(g.scalar_type()));
    report(drift, z, create_graph);
    return result;
  }

  void report(const Drift& drift, const at::Tensor& z, bool create_graph) const {
    Stats reversal;
    reversal.method = create_graph ? "iteration again from z0" : "reversal";
    reversal.iterations = steps;
    reversal.evaluations = (create_graph ? 4 : 2) * step_count();
    reversal.jacobian_products = 2 * step_count();
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

at::Tensor ReversibleGradient::differentiate(FixedPointProblem& problem) const {
  const auto* solver = problem.solver.target<Reversible>();
  TORCH_CHECK(solver != nullptr,
              "gradient: ReversibleGradient runs the iteration of Reversible backwards, but the solver is ",
              problem.solver.name(), "; use Reversible, or ImplicitGradient with any solver");
  TORCH_CHECK(checkpoint_every >= 0, "ReversibleGradient.checkpoint_every: expected ≥ 0, got ",
              checkpoint_every);
  const at::ScalarType dtype = problem.z0.scalar_type();
  const auto saved = std::make_shared<SavedReversible>();
  saved->tolerance = drift.resolved(dtype);
  edge_list edges{torch::autograd::impl::gradient_edge(problem.z0)};
  {
    const Tape tape = problem.f.record(problem.z0);
    edges.insert(edges.end(), tape.captured().begin(), tape.captured().end());
    saved->evaluation.emplace(tape);
  }
  saved->steps.assign(problem.z0.size(0), 0);
  {
    const at::NoGradGuard no_grad;
    saved->last = detail::iterate(*solver, problem.f, problem.z0.detach(), problem.monitor,
                                  [&](const Mask& running, const CoupledPair& pair) {
                                    for (std::size_t b = 0; b < running.size(); ++b) {
                                      saved->steps[b] += running[b];
                                    }
                                    if (checkpoint_every > 0 && saved->step_count() % checkpoint_every == 0) {
                                      saved->checkpoints.push_back(pair);
                                    }
                                  });
  }
  problem.monitor.settle_for_latest();
  at::Tensor out = saved->last.z.to(dtype).detach();
  problem.reopen(out);
  if (edges.size() == 1 && !edges[0].is_valid()) return out;

  saved->f = detail::evaluated_again(in_double(problem.f.checked(), dtype));
  saved->mixing = solver->mixing;
  saved->checkpoint_every = checkpoint_every;
  saved->on_failure = problem.on_failure;
  saved->stats = problem.stats.backward = std::make_shared<Stats>();
  saved->start = SavedVariable(problem.z0, /*is_output=*/false);
  detail::attach(out, "StillpointReversible", std::move(edges), saved);
  saved->out = SavedVariable(out, /*is_output=*/true);
  return out;
}

}  // namespace stillpoint
