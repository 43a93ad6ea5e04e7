#include "stillpoint/autograd/recompute.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <optional>
#include <utility>

#include "autograd/evaluation.h"
#include "autograd/layer_node.h"
#include "autograd/recompute.h"
#include "core/check.h"
#include "stillpoint/autograd/tape.h"

namespace stillpoint {
namespace {

using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

struct SavedPiece : detail::Saved {
  SavedPiece(Map map, const at::Tensor& at_x, detail::Evaluation first)
      : f(detail::evaluated_again(std::move(map))),
        x(at_x, /*is_output=*/false),
        evaluation(std::move(first)) {}

  variable_list differentiate(const std::shared_ptr<Node>& /*node*/, const at::Tensor& g) const override {
    const bool create_graph = at::GradMode::is_enabled();
    const Tape tape(f, x.unpack(), create_graph ? Tape::Input::Connected : Tape::Input::Detached);
    evaluation.expect_same(tape);
    return tape.pull_back_all(g, create_graph);
  }

  Map f;
  SavedVariable x;
  detail::Evaluation evaluation;
};

}  // namespace

at::Tensor detail::recompute(const Map& first, Map again, const at::Tensor& x) {
  if (!at::GradMode::is_enabled()) return first(x);
  check_no_transform("x", x);
  edge_list edges{torch::autograd::impl::gradient_edge(x)};
  at::Tensor out;
  std::optional<Evaluation> evaluation;
  {
    const Tape tape(without_transform(first), x);
    out = tape.value();
    edges.insert(edges.end(), tape.captured().begin(), tape.captured().end());
    evaluation.emplace(tape);
  }
  if (edges.size() == 1 && !edges[0].is_valid()) return out;
  attach(out, "StillpointRecompute", std::move(edges),
         std::make_shared<SavedPiece>(std::move(again), x, std::move(*evaluation)));
  return out;
}

at::Tensor recompute(const Map& f, const at::Tensor& x) { return detail::recompute(f, f, x); }

}  // namespace stillpoint
