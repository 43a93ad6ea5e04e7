#include "ode/gradients/saved_solve.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <utility>

#include "core/rows/rows.h"
#include "stillpoint/autograd/recompute.h"

namespace stillpoint::detail {
namespace {

using torch::autograd::Edge;
using torch::autograd::edge_list;
using torch::autograd::variable_list;

at::Tensor packed(State states) { return states.size() == 1 ? std::move(states[0]) : at::stack(states); }

}  // namespace

edge_list SavedSolve::edges_of(const ode::Frozen& frozen, const Tape& probe) {
  edge_list edges{torch::autograd::impl::gradient_edge(frozen.y0)};
  for (const Edge& edge : probe.captured()) edges.push_back(edge);
  if (frozen.times.requires_grad()) {
    const Edge times = torch::autograd::impl::gradient_edge(frozen.times);
    if (std::find(edges.begin() + 1, edges.end(), times) == edges.end()) edges.push_back(times);
  }
  const bool any = std::any_of(edges.begin(), edges.end(), [](const Edge& edge) { return edge.is_valid(); });
  return any ? edges : edge_list{};
}

SavedSolve::SavedSolve(const ode::Frozen& frozen, const Tape& probe, edge_list edges)
    : frozen_(frozen), evaluation_(probe), edges_(std::move(edges)), y0_(frozen.y0, /*is_output=*/false) {
  frozen_.y0.reset();
  frozen_.values.reset();
  frozen_.options = nullptr;
  frozen_.stats = nullptr;
}

variable_list SavedSolve::differentiate(const std::shared_ptr<torch::autograd::Node>& /*node*/,
                                        const at::Tensor& g) const {
  const at::Tensor y0 = y0_.unpack();
  // Whether f still captures what it did, unedited; the states tell whether it still computes the same.
  evaluation_.expect_same(Tape(evaluated_again(frozen_.probe), y0));
  if (at::GradMode::is_enabled()) return differentiable(y0, g);
  Backward pass{.g = g,
                .adjoint = at::zeros_like(y0, at::MemoryFormat::Contiguous),
                .sums = variable_list(edges_.size())};
  reverse(y0, pass);
  pass.sums[0] = pass.adjoint + g.select(1, 0);
  return pass.sums;
}

void SavedSolve::pull_back(std::size_t number, const at::Tensor& y, Backward& pass) const {
  const Tape tape(step(number), y);
  expect_same(tape.value(), number);
  State incoming = frozen_.gradients(number, pass.g);
  incoming.insert(incoming.begin(), pass.adjoint);
  const variable_list gradients = tape.pull_back_all(packed(std::move(incoming)));
  pass.adjoint = gradients[0].defined() ? gradients[0] : at::zeros_like(pass.adjoint);
  add(tape, gradients, pass.sums);
}

// The whole solve as one recorded map, whose steps are recorded when it is differentiated.
variable_list SavedSolve::differentiable(const at::Tensor& y0, const at::Tensor& g) const {
  const Map whole = [this](const at::Tensor& start) {
    at::Tensor y = start;
    State outputs{y};
    for (std::size_t number = 0; number < frozen_.steps; ++number) {
      const at::Tensor next = recompute(step(number), y);
      const bool alone = next.dim() == y.dim();
      y = alone ? next : next.select(0, 0);
      for (std::int64_t i = 1; !alone && i < next.size(0); ++i) outputs.push_back(next.select(0, i));
    }
    return frozen_.collect(outputs);
  };
  const Tape tape(whole, y0, Tape::Input::Connected);
  const variable_list gradients = tape.pull_back_all(g, /*create_graph=*/true);
  variable_list sums(edges_.size());
  sums[0] = gradients[0];
  add(tape, gradients, sums);
  return sums;
}

// Adds gradients of what a tape captured to those of the layer's edges. An edge that the layer does not have
// would lose its gradient.
void SavedSolve::add(const Tape& tape, const variable_list& gradients, variable_list& sums) const {
  for (std::size_t i = 0; i < tape.captured().size(); ++i) {
    const auto found = std::find(edges_.begin() + 1, edges_.end(), tape.captured()[i]);
    TORCH_CHECK(
        found != edges_.end(),
        "f: expected it to read the same tensors that require gradients in each step, but in a later one it "
        "reads others than where the solve starts; the gradient rule ode::Unrolled finds them");
    const at::Tensor& gradient = gradients[1 + i];
    if (!gradient.defined()) continue;
    at::Tensor& sum = sums[found - edges_.begin()];
    sum = sum.defined() ? sum + gradient : gradient;
  }
}

Map SavedSolve::step(std::size_t number) const {
  return evaluated_again(
      [step = frozen_.step, number](const at::Tensor& y) { return packed(step(number, y)); });
}

void SavedSolve::expect_same(const at::Tensor& value, std::size_t number) const {
  const bool last = number + 1 == frozen_.steps;
  const std::size_t place = (number + 1) / frozen_.every;
  if (!last && ((number + 1) % frozen_.every != 0 || place >= frozen_.states.size())) return;
  const at::Tensor& kept = last ? frozen_.end : frozen_.states[place];
  const at::Tensor then = frozen_.state(kept);
  const at::Tensor now = frozen_.state(value.dim() == kept.dim() ? value : value.select(0, 0));
  if (at::equal(now, then)) return;
  const double difference = disagreement(now, then);
  TORCH_CHECK(
      difference == 0.0,
      "f: expected the same slopes when the backward pass takes a step again, but the state after step ",
      number, " differs by ", difference,
      " from that in the forward pass: something that f reads has been edited since, or it is random");
}

}  // namespace stillpoint::detail
