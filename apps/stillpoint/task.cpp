#include "task.h"

#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include "boards.h"

namespace stillpoint::app {
namespace {

/// Of each target, in its shape.
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& targets) {
  return torch::nn::functional::cross_entropy(
             logits.flatten(0, -2), targets.flatten(),
             torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone))
      .view(targets.sizes());
}

at::Tensor mean_of_sample(const at::Tensor& numbers) { return numbers.flatten(1).mean(1); }

}  // namespace

at::Tensor losses(Task task, const at::Tensor& outputs, const at::Tensor& targets) {
  switch (task) {
    case Task::Classes:
      return cross_entropy(outputs, targets);
    case Task::Characters:
      return mean_of_sample(cross_entropy(outputs, targets));
    case Task::Trajectories:
      return mean_of_sample((outputs - targets.narrow(1, 0, outputs.size(1))).abs());
    case Task::Numbers:
    case Task::Signals:
    case Task::Boards:
      break;
  }
  return mean_of_sample((outputs - targets).square());
}

at::Tensor errors(Task task, const at::Tensor& outputs, const at::Tensor& targets) {
  const auto plain = outputs.detach();
  if (task == Task::Numbers || task == Task::Trajectories || task == Task::Signals) {
    return losses(task, plain, targets);
  }
  if (task == Task::Boards) {
    return wrong_boards(plain).to(torch::kDouble);
  }
  const auto wrong = plain.argmax(-1).ne(targets).to(torch::kDouble);
  return task == Task::Classes ? wrong : mean_of_sample(wrong);
}

}  // namespace stillpoint::app
