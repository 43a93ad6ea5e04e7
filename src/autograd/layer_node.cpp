#include "autograd/layer_node.h"

#include <c10/util/Exception.h>
#include <torch/csrc/autograd/variable.h>

#include <mutex>
#include <string>
#include <utility>

#include "autograd/graph_task.h"
#include "core/check.h"

namespace stillpoint {
namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

class LayerNode : public Node {
 public:
  LayerNode(const char* name, std::shared_ptr<const detail::Saved> saved)
      : name_(name), saved_(std::move(saved)) {}

  std::string name() const override { return name_; }

  void release_variables() override {
    std::shared_ptr<const detail::Saved> released;  // destroyed without the lock
    const std::lock_guard<std::mutex> lock(mutex_);
    released.swap(saved_);
  }

  variable_list apply(variable_list&& gradients) override {
    const std::shared_ptr<const detail::Saved> saved = held();
    variable_list result(num_outputs());
    if (!gradients[0].defined()) return result;
    detail::check_no_transform("gradient", gradients[0]);
    detail::with_all_gradients_wanted(
        [&] { result = saved->differentiate(shared_from_this(), gradients[0]); });
    return result;
  }

 private:
  // A pass holds what it reads to its end, whatever another one releases meanwhile. The lock is not held so
  // long: it is not recursive, and f, evaluated again, may walk back to this node.
  std::shared_ptr<const detail::Saved> held() {
    const std::lock_guard<std::mutex> lock(mutex_);
    TORCH_CHECK(saved_ != nullptr,
                "Trying to backward through an implicit layer a second time, after its saved values were "
                "freed: specify retain_graph=true when calling backward() or grad() the first time");
    return saved_;
  }

  const char* name_;
  std::shared_ptr<const detail::Saved> saved_;
};

}  // namespace

void detail::attach(at::Tensor& out, const char* name, torch::autograd::edge_list edges,
                    std::shared_ptr<const Saved> saved) {
  const std::shared_ptr<Node> node(new LayerNode(name, std::move(saved)), torch::autograd::deleteNode);
  node->set_next_edges(std::move(edges));
  torch::autograd::create_gradient_edge(out, node);
}

}  // namespace stillpoint
