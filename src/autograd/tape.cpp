#include "stillpoint/autograd/tape.h"

#include <ATen/Functions.h>
#include <ATen/SequenceNumber.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/version.h>

#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "autograd/cut_edges.h"
#include "autograd/graph_task.h"
#include "autograd/recorded_part.h"

namespace stillpoint {
namespace {

using torch::autograd::Edge;
using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::variable_list;

// Stands in front of z, so that the evaluation's graph reaches z through an edge that nothing else has.
struct Anchor : Node {
  variable_list apply(variable_list&& gradients) override { return {gradients[0]}; }
};

at::Tensor anchored(const at::Tensor& z, Tape::Input input) {
  const std::shared_ptr<Anchor> anchor(new Anchor, torch::autograd::deleteNode);
  anchor->set_next_edges(
      {input == Tape::Input::Connected ? torch::autograd::impl::gradient_edge(z) : Edge()});
  at::Tensor alias = z.is_inference() ? z.clone() : z.detach();
  torch::autograd::create_gradient_edge(alias, anchor);
  return alias;
}

// Hooks of tensors inside f belong to its derivative; the engine would call them before the node.
void call_hooks(Node& node, variable_list& gradients) {
#if TORCH_VERSION_MAJOR >= 2
  for (const auto& hook : node.tensor_pre_hooks()) gradients = (*hook)(gradients);
#endif
  for (const auto& hook : node.pre_hooks()) gradients = (*hook)(gradients);
}

// What the engine does to a gradient between nodes: undo broadcasting, follow the dtype.
void conform(const Edge& edge, at::Tensor& gradient) {
  const auto& metadata = edge.function->input_metadata(edge.input_nr);
  if (!metadata.is_same_shape(gradient)) gradient = metadata.reduce_grad(gradient);
  const auto dtype = c10::typeMetaToScalarType(metadata.options().dtype());
  if (gradient.scalar_type() != dtype) gradient = gradient.to(dtype);
}

struct EdgeHash {
  std::size_t operator()(const Edge& e) const {
    return std::hash<const void*>()(e.function.get()) * 31 + e.input_nr;
  }
};

}  // namespace

struct Tape::Graph {
  // Where a gradient goes: to a step, to a slot of the result (0: z, then the captured edges), or nowhere.
  struct Target {
    enum Kind : std::uint8_t { Nowhere, Step, Slot } kind = Nowhere;
    std::size_t index = 0;
  };
  struct Step {
    Node* node;
    std::vector<Target> targets;  // one for each next edge
  };
  enum class Wanted : std::uint8_t { Input, Captured, All };

  at::Tensor value;
  at::Tensor like;  // z, for its shape
  Edge input;       // into the anchor
  Edge root;        // into the node that made f(z)
  Target root_target;
  edge_list captured;
  std::vector<Step> steps;            // in topological order from the root
  std::vector<detail::Cut> leaving;   // edges by which nodes that z reaches lead to where z does not
  std::vector<detail::Cut> entering;  // edges into the anchor
  bool reaches_input = false;
  mutable std::mutex replaying;  // by one thread at a time, since each cuts other edges
  bool is_private = false;       // no other graph can hold these nodes, so edges may be cut for a replay

  void record(const Map& f, const at::Tensor& z, Input mode);
  void number_steps(const std::vector<Node*>& nodes);
  void find_targets();
  void find_cuts(const detail::RecordedPart& part);
  variable_list replay(const at::Tensor& v, Wanted wanted, bool create_graph) const;
  void run(std::vector<variable_list>& gradients, variable_list& result) const;
};

namespace {

// Whether nobody else can see a sum change.
bool is_ours_alone(const at::Tensor& sum) {
  // Some derivatives are zeros without memory.
  if (sum._is_zerotensor()) return false;
  return !at::GradMode::is_enabled() && sum.use_count() == 1 && sum.is_non_overlapping_and_dense() &&
         sum.has_storage() && sum.storage().use_count() == 1;
}

}  // namespace

Tape::~Tape() = default;
Tape::Tape(Tape&&) noexcept = default;
Tape& Tape::operator=(Tape&&) noexcept = default;

Tape::Tape(const Map& f, const at::Tensor& z, Input input) : graph_(std::make_unique<Graph>()) {
  Graph& graph = *graph_;
  const std::uint64_t first = at::sequence_number::peek();
  graph.record(f, z, input);
  if (!graph.root.is_valid()) return;
  Node* const root = graph.root.function.get();
  const detail::RecordedPart part(root, graph.input.function.get(), first);
  graph.reaches_input = part.reaches_argument(root);
  graph.number_steps(part.nodes());
  graph.find_targets();
  graph.find_cuts(part);
}

// One evaluation of f: its value, and where its graph begins and ends.
void Tape::Graph::record(const Map& f, const at::Tensor& z, Input mode) {
  const c10::InferenceMode no_inference(false);  // which would record nothing
  const at::AutoGradMode recording(true);
  const at::Tensor in = anchored(z, mode);
  const at::Tensor out = f(in);
  value = out.detach();
  like = z.detach();
  is_private = mode == Input::Detached;
  input = torch::autograd::impl::gradient_edge(in);
  root = out.requires_grad() ? torch::autograd::impl::gradient_edge(out) : Edge();
}

void Tape::Graph::number_steps(const std::vector<Node*>& nodes) {
  for (Node* node : nodes) steps.push_back({node, {}});
}

// Where each step's gradients go. Edges that lead to no step leave the evaluation: they are what f captured.
void Tape::Graph::find_targets() {
  std::unordered_map<const Node*, std::size_t> step_of;
  for (std::size_t i = 0; i < steps.size(); ++i) step_of.emplace(steps[i].node, i);
  std::unordered_map<Edge, std::size_t, EdgeHash> slots;
  const auto target_of = [&](const Edge& edge) -> Target {
    if (!edge.is_valid()) return {};
    if (edge.function == input.function) return {Target::Slot, 0};
    if (const auto step = step_of.find(edge.function.get()); step != step_of.end()) {
      return {Target::Step, step->second};
    }
    const auto [slot, fresh] = slots.emplace(edge, slots.size() + 1);
    if (fresh) captured.push_back(edge);
    return {Target::Slot, slot->second};
  };
  root_target = target_of(root);
  for (Step& step : steps) {
    for (const Edge& edge : step.node->next_edges()) step.targets.push_back(target_of(edge));
  }
}

// What a replay can do without: the edges into the anchor, if the gradient of z is not wanted; and those that
// leave the paths to it, if no other is.
void Tape::Graph::find_cuts(const detail::RecordedPart& part) {
  for (const Step& step : steps) {
    const bool on_path = part.reaches_argument(step.node);
    for (std::size_t k = 0; k < step.node->num_outputs(); ++k) {
      const Edge& edge = step.node->next_edge(k);
      if (!edge.is_valid()) continue;
      if (edge.function == input.function) {
        detail::add_cut(entering, *step.node, k);
      } else if (on_path && !part.reaches_argument(edge.function.get())) {
        detail::add_cut(leaving, *step.node, k);
      }
    }
  }
}

const at::Tensor& Tape::value() const { return graph_->value; }

const edge_list& Tape::captured() const { return graph_->captured; }

at::Tensor Tape::vjp(const at::Tensor& v, bool create_graph) const {
  at::Tensor result;
  if (graph_->reaches_input) result = graph_->replay(v, Graph::Wanted::Input, create_graph)[0];
  return result.defined() ? result : at::zeros_like(graph_->like);
}

std::vector<at::Tensor> Tape::pull_back(const at::Tensor& v, bool create_graph) const {
  std::vector<at::Tensor> result = graph_->replay(v, Graph::Wanted::Captured, create_graph);
  result.erase(result.begin());
  return result;
}

std::vector<at::Tensor> Tape::pull_back_all(const at::Tensor& v, bool create_graph) const {
  return graph_->replay(v, Graph::Wanted::All, create_graph);
}

variable_list Tape::Graph::replay(const at::Tensor& v, Wanted wanted, bool create_graph) const {
  variable_list result(1 + captured.size());
  if (!root.is_valid()) return result;
  const at::AutoGradMode mode(create_graph);
  if (root_target.kind == Target::Slot) {
    result[root_target.index] = v;
    return result;
  }
  static const std::vector<detail::Cut> none;
  const bool may_cut = is_private && !create_graph;
  std::vector<variable_list> gradients(steps.size());
  gradients[root_target.index].resize(root.function->num_inputs());
  gradients[root_target.index][root.input_nr] = v;
  detail::with_all_gradients_wanted([&] {
    const std::lock_guard<std::mutex> alone(replaying);
    const detail::CutEdges cuts(!may_cut || wanted == Wanted::All ? none
                                : wanted == Wanted::Input         ? leaving
                                                                  : entering);
    run(gradients, result);
  });
  if (result[0].defined() && !input.function->pre_hooks().empty()) {
    variable_list hooked{result[0]};
    call_hooks(*input.function, hooked);
    result[0] = hooked[0];
  }
  return result;
}

void Tape::Graph::run(std::vector<variable_list>& gradients, variable_list& result) const {
  const auto add = [](at::Tensor& sum, at::Tensor&& term) {
    if (!sum.defined()) {
      sum = std::move(term);
    } else if (is_ours_alone(sum) && sum.sizes() == term.sizes() && sum.scalar_type() == term.scalar_type()) {
      sum.add_(term);
    } else {
      sum = sum + term;
    }
  };
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (gradients[i].empty()) continue;
    const Step& step = steps[i];
    call_hooks(*step.node, gradients[i]);
    variable_list outgoing = (*step.node)(std::move(gradients[i]));
    for (std::size_t k = 0; k < step.targets.size(); ++k) {
      const Target target = step.targets[k];
      if (target.kind == Target::Nowhere || !outgoing[k].defined()) continue;
      const Edge& edge = step.node->next_edge(k);
      if (!edge.is_valid()) continue;  // cut
      conform(edge, outgoing[k]);
      if (target.kind == Target::Slot) {
        add(result[target.index], std::move(outgoing[k]));
      } else {
        variable_list& next = gradients[target.index];
        if (next.empty()) next.resize(edge.function->num_inputs());
        add(next[edge.input_nr], std::move(outgoing[k]));
      }
    }
  }
}

}  // namespace stillpoint
