#include "stillpoint/ode/gradients/discrete.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/evaluation.h"
#include "autograd/layer_node.h"
#include "core/rows/rows.h"
#include "stillpoint/autograd/recompute.h"
#include "stillpoint/autograd/tape.h"

namespace stillpoint::ode {
namespace {

using torch::autograd::Edge;
using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

at::Tensor packed(State states) { return states.size() == 1 ? std::move(states[0]) : at::stack(states); }

// The edges of the layer: y0 first, then all that the solve reads.
class Edges {
 public:
  Edges(const Frozen& frozen, const Tape& probe) {
    list_.push_back(torch::autograd::impl::gradient_edge(frozen.y0));
    for (const Edge& edge : probe.captured()) list_.push_back(edge);
    if (!frozen.times.requires_grad()) return;
    const Edge times = torch::autograd::impl::gradient_edge(frozen.times);
    if (std::find(list_.begin() + 1, list_.end(), times) == list_.end()) list_.push_back(times);
  }

  const edge_list& list() const { return list_; }
  bool any() const {
    return std::any_of(list_.begin(), list_.end(), [](const Edge& edge) { return edge.is_valid(); });
  }

  // Adds gradients of what a tape captured to those of the layer's edges. An edge that the layer does not
  // have would lose its gradient.
  void add(const Tape& tape, const variable_list& gradients, std::size_t first, variable_list& sums) const {
    for (std::size_t i = 0; i < tape.captured().size(); ++i) {
      const auto found = std::find(list_.begin() + 1, list_.end(), tape.captured()[i]);
      TORCH_CHECK(
          found != list_.end(),
          "f: expected it to read the same tensors that require gradients in each step, but in a later "
          "one it reads others than where the solve starts; the gradient rule ode::Unrolled finds them");
      const at::Tensor& gradient = gradients[first + i];
      if (!gradient.defined()) continue;
      at::Tensor& sum = sums[found - list_.begin()];
      sum = sum.defined() ? sum + gradient : gradient;
    }
  }

 private:
  edge_list list_;
};

class SavedSolve : public stillpoint::detail::Saved {
 public:
  SavedSolve(const Frozen& frozen, const Tape& probe, Edges edges)
      : frozen_(frozen), evaluation_(probe), edges_(std::move(edges)), y0_(frozen.y0, /*is_output=*/false) {
    frozen_.y0.reset();
    frozen_.values.reset();
  }

  variable_list differentiate(const std::shared_ptr<Node>& /*node*/, const at::Tensor& g) const override {
    const at::Tensor y0 = y0_.unpack();
    // Whether f still captures what it did, unedited; the states tell whether it still computes the same.
    evaluation_.expect_same(Tape(stillpoint::detail::evaluated_again(frozen_.probe), y0));
    return at::GradMode::is_enabled() ? differentiable(y0, g) : first_order(y0, g);
  }

 private:
  struct Backward {
    at::Tensor g;
    at::Tensor adjoint;
    variable_list sums;
  };

  // Backwards through the steps, each taken again from where it started.
  variable_list first_order(const at::Tensor& y0, const at::Tensor& g) const {
    Backward pass{.g = g,
                  .adjoint = at::zeros_like(y0, at::MemoryFormat::Contiguous),
                  .sums = variable_list(edges_.list().size())};
    std::size_t end = frozen_.steps;
    for (std::size_t kept = frozen_.states.size(); kept-- > 0; end = kept * frozen_.every)
      reverse(kept * frozen_.every, end, frozen_.states[kept], pass);
    pass.sums[0] = pass.adjoint + g.select(1, 0);
    return pass.sums;
  }

  // Backwards from step `end` to step `begin`, which starts from y.
  void reverse(std::size_t begin, std::size_t end, const at::Tensor& y, Backward& pass) const {
    if (end - begin > 1) {
      const std::size_t middle = begin + (end - begin) / 2;
      at::Tensor there = y;
      for (std::size_t number = begin; number < middle; ++number) there = frozen_.step(number, there)[0];
      reverse(middle, end, there, pass);
      there.reset();
      reverse(begin, middle, y, pass);
      return;
    }
    const Tape tape(step(begin), y);
    expect_same(tape.value(), begin);
    State incoming = frozen_.gradients(begin, pass.g);
    incoming.insert(incoming.begin(), pass.adjoint);
    const variable_list gradients = tape.pull_back_all(packed(std::move(incoming)));
    pass.adjoint = gradients[0].defined() ? gradients[0] : at::zeros_like(pass.adjoint);
    edges_.add(tape, gradients, 1, pass.sums);
  }

  // The whole solve as one recorded map, whose steps are recorded when it is differentiated.
  variable_list differentiable(const at::Tensor& y0, const at::Tensor& g) const {
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
    variable_list sums(edges_.list().size());
    sums[0] = gradients[0];
    edges_.add(tape, gradients, 1, sums);
    return sums;
  }

  Map step(std::size_t number) const {
    return stillpoint::detail::evaluated_again(
        [step = frozen_.step, number](const at::Tensor& y) { return packed(step(number, y)); });
  }

  void expect_same(const at::Tensor& value, std::size_t number) const {
    const bool last = number + 1 == frozen_.steps;
    if (!last && (number + 1) % frozen_.every != 0) return;
    const at::Tensor& then = last ? frozen_.end : frozen_.states[(number + 1) / frozen_.every];
    const at::Tensor now = value.dim() == then.dim() ? value : value.select(0, 0);
    if (at::equal(now, then)) return;
    const double difference = stillpoint::detail::disagreement(now, then);
    TORCH_CHECK(
        difference == 0.0,
        "f: expected the same slopes when the backward pass takes a step again, but the state after step ",
        number, " differs by ", difference,
        " from that in the forward pass: something that f reads has been edited since, or it is random");
  }

  Frozen frozen_;
  stillpoint::detail::Evaluation evaluation_;
  Edges edges_;
  SavedVariable y0_;
};

}  // namespace

std::int64_t Discrete::states() const {
  TORCH_CHECK(!checkpoints || *checkpoints >= 2, "checkpoints: expected a number ≥ 2, got ",
              checkpoints.value_or(0));
  return checkpoints.value_or(std::numeric_limits<std::int64_t>::max());
}

at::Tensor Discrete::differentiate(const Frozen& frozen) const {
  const Tape probe(stillpoint::detail::without_transform(frozen.probe), frozen.y0);
  Edges edges(frozen, probe);
  if (!edges.any()) return frozen.values;
  edge_list list = edges.list();
  at::Tensor out = frozen.values.detach();
  stillpoint::detail::attach(out, "StillpointOdeint", std::move(list),
                             std::make_shared<SavedSolve>(frozen, probe, std::move(edges)));
  return out;
}

}  // namespace stillpoint::ode
