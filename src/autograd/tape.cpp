#include "stillpoint/autograd/tape.h"

#include <ATen/Functions.h>
#include <ATen/SequenceNumber.h>
#include <ATen/TensorOperators.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/functions/tensor.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/version.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "autograd/graph_task.h"

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
  struct Cut {
    std::shared_ptr<Node> node;
    std::size_t edge;
  };
  enum class Wanted : std::uint8_t { Input, Captured, All };

  at::Tensor value;
  at::Tensor like;  // z, for its shape
  Edge input;       // into the anchor
  Edge root;        // into the node that made f(z)
  Target root_target;
  edge_list captured;
  std::vector<Step> steps;    // in topological order from the root
  std::vector<Cut> leaving;   // edges by which nodes that z reaches lead to where z does not
  std::vector<Cut> entering;  // edges into the anchor
  bool reaches_input = false;
  mutable std::mutex replaying;  // by one thread at a time, since each cuts other edges
  bool is_private = false;       // no other graph can hold these nodes, so edges may be cut for a replay

  static void add_cut(std::vector<Cut>& cuts, Node& node, std::size_t edge);
  variable_list replay(const at::Tensor& v, Wanted wanted, bool create_graph) const;
  void run(std::vector<variable_list>& gradients, variable_list& result) const;
};

namespace {

// Finds the part of the graph that one evaluation recorded.
//
// Nodes made on this thread before the evaluation are outside; those made on it since are inside. Other
// threads count their own sequence, so a node of another thread (made by a backward pass inside f, on a GPU's
// thread) is inside if it leads to the anchor. The walk is a depth-first search with an explicit stack, since
// f may be deep.
class Explorer {
 public:
  Explorer(Node* anchor, std::uint64_t first_sequence_nr)
      : anchor_(anchor), first_(first_sequence_nr), thread_(at::RecordFunction::currentThreadId()) {}

  void explore(Node* root) {
    if (!enter(root)) return;
    while (!stack_.empty()) {
      auto& [node, next] = stack_.back();
      if (next < node->num_outputs()) {
        Node* child = node->next_edge(next++).function.get();
        if (child != nullptr) enter(child);
      } else {
        leave(node);
        stack_.pop_back();
      }
    }
    std::reverse(order_.begin(), order_.end());
  }

  bool reaches(const Node* node) const {
    if (node == anchor_) return true;
    const auto found = places_.find(node);
    return found != places_.end() && found->second.reaches;
  }
  bool inside(const Node* node) const {
    const auto found = places_.find(node);
    return found != places_.end() && (found->second.own || found->second.reaches);
  }
  /// Inside nodes, each before those that its gradients go to.
  const std::vector<Node*>& order() const { return order_; }

 private:
  struct Place {
    bool own = false;
    bool reaches = false;
  };

  bool enter(Node* node) {
    if (node == anchor_ || places_.count(node) != 0) return false;
    const bool here = node->thread_id() == thread_;
    const bool leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node) != nullptr;
    if (leaf || (here && node->sequence_nr() < first_)) return false;
    places_[node].own = here;
    stack_.emplace_back(node, 0);
    return true;
  }

  void leave(Node* node) {
    Place& place = places_[node];
    for (const Edge& edge : node->next_edges()) {
      if (edge.is_valid() && reaches(edge.function.get())) place.reaches = true;
    }
    if (place.own || place.reaches) order_.push_back(node);
  }

  Node* anchor_;
  std::uint64_t first_;
  std::uint64_t thread_;
  std::unordered_map<const Node*, Place> places_;
  std::vector<std::pair<Node*, std::uint32_t>> stack_;
  std::vector<Node*> order_;
};

}  // namespace

Tape::~Tape() = default;
Tape::Tape(Tape&&) noexcept = default;
Tape& Tape::operator=(Tape&&) noexcept = default;

Tape::Tape(const Map& f, const at::Tensor& z, Input input) : graph_(std::make_unique<Graph>()) {
  const c10::InferenceMode no_inference(false);  // which would record nothing
  const at::AutoGradMode recording(true);
  Graph& graph = *graph_;
  graph.is_private = input == Input::Detached;
  const std::uint64_t first = at::sequence_number::peek();
  const at::Tensor in = anchored(z, input);
  const at::Tensor out = f(in);
  graph.value = out.detach();
  graph.like = z.detach();
  graph.input = torch::autograd::impl::gradient_edge(in);
  graph.root = out.requires_grad() ? torch::autograd::impl::gradient_edge(out) : Edge();
  if (!graph.root.is_valid()) return;

  Explorer explorer(graph.input.function.get(), first);
  explorer.explore(graph.root.function.get());
  graph.reaches_input = explorer.reaches(graph.root.function.get());

  std::unordered_map<const Node*, std::size_t> step_of;
  for (Node* node : explorer.order()) {
    step_of.emplace(node, graph.steps.size());
    graph.steps.push_back({node, {}});
  }
  std::unordered_map<Edge, std::size_t, EdgeHash> slots;
  const auto target_of = [&](const Edge& edge) -> Graph::Target {
    if (!edge.is_valid()) return {};
    if (edge.function == graph.input.function) return {Graph::Target::Slot, 0};
    if (const auto step = step_of.find(edge.function.get()); step != step_of.end()) {
      return {Graph::Target::Step, step->second};
    }
    const auto [slot, fresh] = slots.emplace(edge, slots.size() + 1);
    if (fresh) graph.captured.push_back(edge);
    return {Graph::Target::Slot, slot->second};
  };
  graph.root_target = target_of(graph.root);
  for (Graph::Step& step : graph.steps) {
    const bool reaches = explorer.reaches(step.node);
    for (std::size_t k = 0; k < step.node->num_outputs(); ++k) {
      const Edge& edge = step.node->next_edge(k);
      step.targets.push_back(target_of(edge));
      if (!edge.is_valid()) continue;
      if (edge.function == graph.input.function) {
        Graph::add_cut(graph.entering, *step.node, k);
      } else if (reaches && !explorer.reaches(edge.function.get())) {
        Graph::add_cut(graph.leaving, *step.node, k);
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

namespace {

// Makes edges invalid while it lives: a node does not compute a gradient that has nowhere to go.
template <class Cut>
class CutEdges {
 public:
  explicit CutEdges(const std::vector<Cut>& cuts) : cuts_(cuts) {
    kept_.reserve(cuts.size());
    for (const Cut& cut : cuts) kept_.push_back(std::exchange(cut.node->next_edges()[cut.edge], Edge()));
  }
  ~CutEdges() {
    for (std::size_t i = 0; i < cuts_.size(); ++i) {
      cuts_[i].node->next_edges()[cuts_[i].edge] = std::move(kept_[i]);
    }
  }
  CutEdges(const CutEdges&) = delete;
  CutEdges& operator=(const CutEdges&) = delete;

 private:
  const std::vector<Cut>& cuts_;
  edge_list kept_;
};

}  // namespace

// An operation in place on a view is recorded as a node that wraps the operation's own and repeats its edges.
// Both are cut: LibTorch 2.x demands that they agree, and the operation skips what nobody wants. It is the
// only node that looks at another's edges.
void Tape::Graph::add_cut(std::vector<Cut>& cuts, Node& node, std::size_t edge) {
  cuts.push_back({node.shared_from_this(), edge});
  if (const auto* wrapper = dynamic_cast<const torch::autograd::CopySlices*>(&node)) {
    cuts.push_back({wrapper->fn, edge});
  }
}

variable_list Tape::Graph::replay(const at::Tensor& v, Wanted wanted, bool create_graph) const {
  variable_list result(1 + captured.size());
  if (!root.is_valid()) return result;
  const at::AutoGradMode mode(create_graph);
  if (root_target.kind == Target::Slot) {
    result[root_target.index] = v;
    return result;
  }
  static const std::vector<Cut> none;
  const bool may_cut = is_private && !create_graph;
  std::vector<variable_list> gradients(steps.size());
  gradients[root_target.index].resize(root.function->num_inputs());
  gradients[root_target.index][root.input_nr] = v;
  detail::with_all_gradients_wanted([&] {
    const std::lock_guard<std::mutex> alone(replaying);
    const CutEdges cuts(!may_cut || wanted == Wanted::All ? none
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
    sum = sum.defined() ? sum + term : std::move(term);
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
