#include "autograd/graph_task.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/graph_task.h>

#include <memory>

namespace stillpoint::detail {
namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

struct Runner : Node {
  const std::function<void()>* work = nullptr;
  bool grad_mode = false;

  variable_list apply(variable_list&& /*gradients*/) override {
    const at::AutoGradMode mode(grad_mode);
    (*work)();
    return {};
  }
};

}  // namespace

void with_all_gradients_wanted(const std::function<void()>& work) {
  const auto* wanted = torch::autograd::get_current_graph_task_exec_info();
  if (wanted == nullptr || wanted->empty()) {
    work();
    return;
  }
  const std::shared_ptr<Runner> runner(new Runner, torch::autograd::deleteNode);
  runner->work = &work;
  runner->grad_mode = at::GradMode::is_enabled();
  const at::Tensor trigger = at::zeros({});
  runner->add_input_metadata(trigger);
  torch::autograd::Engine::get_default_engine().execute({{runner, 0}}, {trigger}, /*keep_graph=*/true,
                                                        /*create_graph=*/false, /*accumulate_grad=*/true);
}

}  // namespace stillpoint::detail
