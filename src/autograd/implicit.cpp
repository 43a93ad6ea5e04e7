#include "stillpoint/autograd/implicit.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>
#include <utility>

#include "autograd/evaluation.h"
#include "autograd/layer_node.h"
#include "core/check.h"
#include "core/report_lock.h"
#include "core/rows/rows.h"
#include "stillpoint/autograd/tape.h"

namespace stillpoint {
namespace {

using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

class SavedImplicit : public detail::Saved {
 public:
  SavedImplicit(Condition condition, std::shared_ptr<const Tape> tape, ImplicitRule rule,
                std::shared_ptr<Stats> stats)
      : condition_(std::move(condition)),
        rule_(std::move(rule)),
        stats_(std::move(stats)),
        evaluation_(*tape),
        tape_(std::move(tape)) {
    condition_.map = detail::evaluated_again(std::move(condition_.map));
  }
  void save(const at::Tensor& out) { z_ = SavedVariable(out, /*is_output=*/true); }

  variable_list differentiate(const std::shared_ptr<Node>& node, const at::Tensor& g) const override {
    const bool create_graph = at::GradMode::is_enabled();
    // Higher derivatives come back here in passes that create no graph, and build on an exact adjoint.
    if (create_graph) exact_ = true;
    const at::Tensor z = z_.unpack(node);
    const at::Tensor u = solve_adjoint(z.detach(), g.detach().contiguous());
    if (!create_graph) return tape_->pull_back(u);

    const auto connected = std::make_shared<Tape>(condition_.map, z, Tape::Input::Connected);
    evaluation_.expect_same(*connected);
    Condition adjoint([connected, g](const at::Tensor& v) { return connected->vjp(v, true) + g; });
    adjoint.form = condition_.form;
    adjoint.structure = condition_.structure;
    ImplicitRule same = rule_;
    same.first_order = nullptr;  // it knows the system at z alone
    same.estimate = nullptr;
    const at::Tensor attached = implicit(adjoint, u, std::move(same), stats_of_next_order());
    return connected->pull_back(attached, true);
  }

 private:
  at::Tensor solve_adjoint(const at::Tensor& z, const at::Tensor& g) const {
    const at::NoGradGuard no_grad;
    const bool estimated = rule_.estimate != nullptr && !exact_;
    const ImplicitRule::FirstOrder& first_order = estimated ? rule_.estimate : rule_.first_order;
    const LinearOperator a =
        condition_.negative_jacobian([this](const at::Tensor& u) { return tape_->vjp(u); });
    const ResolvedTolerance tolerance = rule_.tolerance.resolved(g.scalar_type());
    Solution<at::Tensor> adjoint =
        first_order ? first_order(a, z, g, tolerance) : rule_.solver.solve(a, g, {}, tolerance);
    adjoint.stats.jacobian_products = adjoint.stats.evaluations;
    write_report(adjoint.stats);
    const bool as_asked = estimated && adjoint.stats.count(Status::NonFinite) == 0;
    if (!as_asked) report_failure(adjoint.stats, rule_.on_failure);
    return adjoint.value;
  }

  void write_report(Stats report) const {
    const std::lock_guard<std::mutex> lock(detail::report_lock);
    report.backward = stats_->backward;
    *stats_ = std::move(report);
  }

  std::shared_ptr<Stats> stats_of_next_order() const {
    const std::lock_guard<std::mutex> lock(detail::report_lock);
    if (!stats_->backward) stats_->backward = std::make_shared<Stats>();
    return stats_->backward;
  }

  Condition condition_;
  ImplicitRule rule_;
  std::shared_ptr<Stats> stats_;
  detail::Evaluation evaluation_;
  std::shared_ptr<const Tape> tape_;  // of the map at z; serves the first-order backward pass
  SavedVariable z_;
  mutable std::atomic<bool> exact_ = false;  // no estimate any more
};

}  // namespace

at::Tensor implicit(const Condition& condition, const at::Tensor& z, ImplicitRule rule,
                    std::shared_ptr<Stats> backward) {
  detail::check_no_transform("z", z);
  if (!at::GradMode::is_enabled()) return z;
  auto tape = std::make_shared<Tape>(detail::without_transform(condition.map), z);
  if (tape->captured().empty()) return z.detach();
  edge_list edges = tape->captured();
  const auto saved =
      std::make_shared<SavedImplicit>(condition, std::move(tape), std::move(rule),
                                      backward ? std::move(backward) : std::make_shared<Stats>());
  at::Tensor out = z.detach();
  detail::attach(out, "StillpointImplicit", std::move(edges), saved);
  saved->save(out);
  return out;
}

}  // namespace stillpoint
