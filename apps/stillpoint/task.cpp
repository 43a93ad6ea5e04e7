#include "task.h"

#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include <tuple>

#include "boards.h"
#include "top_k_network.h"

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

/// Marks, with 1, the label of each sample among the classes.
at::Tensor indicators(const at::Tensor& labels, const at::Tensor& shares) {
  return torch::zeros_like(shares).scatter(1, labels.unsqueeze(1), 1);
}

}  // namespace

at::Tensor choices(const at::Tensor& digits) {
  const auto largest = std::get<1>(digits.topk(kChosen, 1));
  return torch::zeros(digits.sizes(), digits.options().dtype(torch::kFloat)).scatter(1, largest, 1);
}

at::Tensor losses(Task task, const at::Tensor& outputs, const at::Tensor& targets) {
  switch (task) {
    case Task::Classes:
      return cross_entropy(outputs, targets);
    case Task::Characters:
      return mean_of_sample(cross_entropy(outputs, targets));
    case Task::Shares:
      return (outputs - indicators(targets, outputs.detach())).square().sum(1);
    case Task::Choices:
      return mean_of_sample((outputs - choices(targets)).square());
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
  if (task == Task::Choices) {
    return choices(plain).ne(choices(targets)).any(1).to(torch::kDouble);
  }
  const auto wrong = plain.argmax(-1).ne(targets).to(torch::kDouble);
  return task == Task::Characters ? mean_of_sample(wrong) : wrong;
}

}  // namespace stillpoint::app
