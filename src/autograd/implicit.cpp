#include "stillpoint/autograd/implicit.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <optional>
#include <utility>

#include "autograd/evaluation.h"
#include "autograd/graph_task.h"
#include "core/check.h"
#include "core/rows.h"
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
    Status& status = adjoint.stats.status[b];
    if (status != Status::Converged || adjoint.stats.residual[b] <= allowed) continue;
    status = std::isfinite(adjoint.stats.residual[b]) ? Status::Inaccurate : Status::NonFinite;
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

struct ImplicitNode : Node {
  Map f;
  ImplicitRule rule;
  std::shared_ptr<Stats> stats;
  std::shared_ptr<Tape> tape;  // of f at z; serves the first-order backward pass
  std::optional<detail::Evaluation> evaluation;
  SavedVariable z;

  std::string name() const override { return "StillpointImplicit"; }

  void release_variables() override {
    z.reset_data();
    tape = nullptr;
    evaluation.reset();
    f = nullptr;
    rule = {};
  }

  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(
        tape != nullptr,
        "Trying to backward through an implicit layer a second time, after its saved values were freed: "
        "specify retain_graph=true when calling backward() or grad() the first time");
    variable_list result(num_outputs());
    // Higher derivatives come back here in passes that create no graph, and build on an exact adjoint.
    if (at::GradMode::is_enabled()) rule.adjoint_estimate = nullptr;
    if (gradients[0].defined()) {
      detail::with_all_gradients_wanted([&] { result = differentiate(gradients[0]); });
    }
    return result;
  }

  at::Tensor solve_adjoint(const at::Tensor& at_z, const at::Tensor& g) const {
    const bool estimated = rule.adjoint_estimate != nullptr;
    const at::NoGradGuard no_grad;
    const bool by_hand = rule.transposed_jacobian != nullptr;
    const Map recorded = [this](const at::Tensor& u) { return tape->vjp(u); };
    const Map product = by_hand ? rule.transposed_jacobian(at_z) : recorded;
    const Tolerance tolerance = rule.tolerance.resolved(g.scalar_type());
    const ImplicitRule::AdjointSolve& solve = rule.first_order_solve ? rule.first_order_solve : rule.solve;
    Solution<at::Tensor> adjoint =
        estimated ? estimate(rule.adjoint_estimate, g) : solve(rule.equation, product, g, tolerance);
    if (by_hand || estimated) verify(*tape, rule.equation, g, tolerance, adjoint);
    const std::shared_ptr<Stats> next = stats->backward;
    *stats = std::move(adjoint.stats);
    stats->backward = next;
    const bool as_asked = estimated && stats->count(Status::NonFinite) == 0;
    if (!as_asked) report_failure(*stats, rule.on_failure);
    return adjoint.value;
  }

  variable_list differentiate(const at::Tensor& g) const {
    const at::Tensor at_z = z.unpack(const_cast<ImplicitNode*>(this)->shared_from_this());
    const at::Tensor u = solve_adjoint(at_z.detach(), g.detach().contiguous());
    if (!at::GradMode::is_enabled()) return tape->pull_back(u);

    const auto connected = std::make_shared<Tape>(f, at_z, Tape::Input::Connected);
    evaluation->expect_same(*connected);
    if (!stats->backward) stats->backward = std::make_shared<Stats>();
    ImplicitRule same = rule;
    same.transposed_jacobian = nullptr;  // these know the first-order system alone
    same.first_order_solve = nullptr;
    same.adjoint_estimate = nullptr;
    const at::Tensor attached =
        implicit([connected, g](const at::Tensor& v) { return connected->vjp(v, true) + g; }, u,
                 std::move(same), stats->backward);
    return connected->pull_back(attached, true);
  }
};

}  // namespace

at::Tensor implicit(const Map& f, const at::Tensor& z, ImplicitRule rule, std::shared_ptr<Stats> backward) {
  if (!at::GradMode::is_enabled()) return z;
  auto tape = std::make_shared<Tape>(f, z);
  if (tape->captured().empty()) return z.detach();
  const std::shared_ptr<ImplicitNode> node(new ImplicitNode, torch::autograd::deleteNode);
  node->set_next_edges(edge_list(tape->captured()));
  node->f = f;
  node->rule = std::move(rule);
  node->stats = backward ? std::move(backward) : std::make_shared<Stats>();
  node->evaluation.emplace(*tape);
  node->tape = std::move(tape);
  at::Tensor out = z.detach();
  torch::autograd::create_gradient_edge(out, node);
  node->z = SavedVariable(out, /*is_output=*/true);
  return out;
}

}  // namespace stillpoint
