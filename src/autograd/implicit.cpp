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

// What a product written by hand or an estimate led to, held against the equation of the recorded product.
// Twice the tolerance leaves room for the rounding in which the two products differ.
void verify(const Tape& tape, Equation equation, const at::Tensor& g, const Tolerance& tolerance,
            Solution<at::Tensor>& adjoint) {
  at::Tensor residual = tape.vjp(adjoint.value) + g;
  if (equation == Equation::FixedPoint) residual = residual - adjoint.value;
  ++adjoint.stats.jacobian_products;
  adjoint.stats.residual = detail::row_norms(residual, tolerance.norm);
  const std::vector<double> scale = detail::row_norms(g, tolerance.norm);
  for (std::size_t b = 0; b < scale.size(); ++b) {
    const double allowed = 2.0 * (*tolerance.absolute + *tolerance.relative * scale[b]);
    const bool finite = std::isfinite(adjoint.stats.residual[b]) && std::isfinite(allowed);
    Status& status = adjoint.stats.status[b];
    if (status != Status::Converged || (finite && adjoint.stats.residual[b] <= allowed)) continue;
    status = finite ? Status::Inaccurate : Status::NonFinite;
  }
}

Solution<at::Tensor> estimate(const Map& adjoint_estimate, const at::Tensor& g) {
  Solution<at::Tensor> adjoint{adjoint_estimate(g), {}};
  detail::check_like("adjoint_estimate", adjoint.value, g);
  adjoint.stats.method = "estimate";
  adjoint.stats.status.assign(g.size(0), Status::Converged);
  adjoint.stats.iterations.assign(g.size(0), 0);
  return adjoint;
}

class SavedImplicit : public detail::Saved {
 public:
  SavedImplicit(Map map, std::shared_ptr<const Tape> tape, ImplicitRule rule, std::shared_ptr<Stats> stats)
      : f_(detail::evaluated_again(std::move(map))),
        rule_(std::move(rule)),
        stats_(std::move(stats)),
        evaluation_(*tape),
        tape_(std::move(tape)) {}

  void save(const at::Tensor& out) { z_ = SavedVariable(out, /*is_output=*/true); }

  variable_list differentiate(const std::shared_ptr<Node>& node, const at::Tensor& g) const override {
    const bool create_graph = at::GradMode::is_enabled();
    // Higher derivatives come back here in passes that create no graph, and build on an exact adjoint.
    if (create_graph) exact_ = true;
    const at::Tensor z = z_.unpack(node);
    const at::Tensor u = solve_adjoint(z.detach(), g.detach().contiguous());
    if (!create_graph) return tape_->pull_back(u);

    const auto connected = std::make_shared<Tape>(f_, z, Tape::Input::Connected);
    evaluation_.expect_same(*connected);
    ImplicitRule same = rule_;
    same.transposed_jacobian = nullptr;  // these know the first-order system alone
    same.first_order_solve = nullptr;
    same.adjoint_estimate = nullptr;
    const at::Tensor attached =
        implicit([connected, g](const at::Tensor& v) { return connected->vjp(v, true) + g; }, u,
                 std::move(same), stats_of_next_order());
    return connected->pull_back(attached, true);
  }

 private:
  at::Tensor solve_adjoint(const at::Tensor& z, const at::Tensor& g) const {
    const bool estimated = rule_.adjoint_estimate != nullptr && !exact_;
    const at::NoGradGuard no_grad;
    const bool by_hand = rule_.transposed_jacobian != nullptr;
    const Map recorded = [this](const at::Tensor& u) { return tape_->vjp(u); };
    const Map product = by_hand ? rule_.transposed_jacobian(z) : recorded;
    const Tolerance tolerance = rule_.tolerance.resolved(g.scalar_type());
    const ImplicitRule::AdjointSolve& solve = rule_.first_order_solve ? rule_.first_order_solve : rule_.solve;
    Solution<at::Tensor> adjoint =
        estimated ? estimate(rule_.adjoint_estimate, g) : solve(rule_.equation, product, g, tolerance);
    if (by_hand || estimated) verify(*tape_, rule_.equation, g, tolerance, adjoint);
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

  Map f_;
  ImplicitRule rule_;
  std::shared_ptr<Stats> stats_;
  detail::Evaluation evaluation_;
  std::shared_ptr<const Tape> tape_;  // of f at z; serves the first-order backward pass
  SavedVariable z_;
  mutable std::atomic<bool> exact_ = false;  // no estimate any more
};

}  // namespace

at::Tensor implicit(const Map& f, const at::Tensor& z, ImplicitRule rule, std::shared_ptr<Stats> backward) {
  detail::check_no_transform("z", z);
  if (!at::GradMode::is_enabled()) return z;
  auto tape = std::make_shared<Tape>(detail::without_transform(f), z);
  if (tape->captured().empty()) return z.detach();
  edge_list edges = tape->captured();
  const auto saved = std::make_shared<SavedImplicit>(
      f, std::move(tape), std::move(rule), backward ? std::move(backward) : std::make_shared<Stats>());
  at::Tensor out = z.detach();
  detail::attach(out, "StillpointImplicit", std::move(edges), saved);
  saved->save(out);
  return out;
}

}  // namespace stillpoint
