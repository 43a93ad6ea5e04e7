#include "stillpoint/autograd/recompute.h"

#include <c10/util/Exception.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <optional>
#include <string>

#include "autograd/evaluation.h"
#include "autograd/graph_task.h"
#include "stillpoint/autograd/tape.h"

namespace stillpoint {
namespace {

using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

struct RecomputeNode : Node {
  Map f;
  SavedVariable x;
  std::optional<detail::Evaluation> evaluation;

  std::string name() const override { return "StillpointRecompute"; }

  void release_variables() override {
    x.reset_data();
    evaluation.reset();
    f = nullptr;
  }

  variable_list apply(variable_list&& gradients) override {
    variable_list result(num_outputs());
    const at::Tensor at_x = x.unpack();
    if (!gradients[0].defined()) return result;
    detail::with_all_gradients_wanted([&] {
      const bool create_graph = at::GradMode::is_enabled();
      const Tape tape(f, at_x, create_graph ? Tape::Input::Connected : Tape::Input::Detached);
      evaluation->expect_same(tape);
      result = tape.pull_back_all(gradients[0], create_graph);
    });
    return result;
  }
};

}  // namespace

at::Tensor recompute(const Map& f, const at::Tensor& x) {
  if (!at::GradMode::is_enabled()) return f(x);
  edge_list edges{torch::autograd::impl::gradient_edge(x)};
  at::Tensor out;
  std::optional<detail::Evaluation> evaluation;
  {
    const Tape tape(f, x);
    out = tape.value();
    edges.insert(edges.end(), tape.captured().begin(), tape.captured().end());
    evaluation.emplace(tape);
  }
  if (edges.size() == 1 && !edges[0].is_valid()) return out;
  const std::shared_ptr<RecomputeNode> node(new RecomputeNode, torch::autograd::deleteNode);
  node->set_next_edges(std::move(edges));
  node->f = f;
  node->x = SavedVariable(x, /*is_output=*/false);
  node->evaluation = std::move(evaluation);
  torch::autograd::create_gradient_edge(out, node);
  return out;
}

}  // namespace stillpoint
