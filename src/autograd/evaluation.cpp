#include "autograd/evaluation.h"

#include <c10/util/Exception.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <utility>

#include "core/check.h"
#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

using torch::autograd::AccumulateGrad;
using torch::autograd::Edge;

const AccumulateGrad* leaf(const Edge& edge) { return dynamic_cast<AccumulateGrad*>(edge.function.get()); }

// Nodes that the map makes itself are new each time; their kind must agree.
bool alike(const Edge& now, const Edge& then) {
  if (now == then) return true;
  return leaf(now) == nullptr && leaf(then) == nullptr && now.function->name() == then.function->name();
}

}  // namespace

Map without_transform(Map f) {
  return [f = std::move(f)](const at::Tensor& z) {
    at::Tensor value = f(z);
    check_no_transform("f", value);
    return value;
  };
}

Map evaluated_again(Map f) {
  return [f = std::move(f)](const at::Tensor& z) {
    try {
      return f(z);
    } catch (c10::Error& error) {
      error.add_context(
          "thrown while a backward pass evaluated f again: what f captured by reference must still be alive; "
          "let it capture by value");
      throw;
    }
  };
}

Evaluation::Evaluation(const Tape& tape)
    : captured_(tape.captured()), value_(tape.value().detach()), value_version_(value_._version()) {
  for (const Edge& edge : captured_) versions_.push_back(leaf(edge) ? leaf(edge)->variable._version() : 0);
}

void Evaluation::expect_same_captures(const Tape& again) const {
  const auto& now = again.captured();
  bool same = now.size() == captured_.size();
  for (std::size_t i = 0; same && i < now.size(); ++i) same = alike(now[i], captured_[i]);
  TORCH_CHECK(same,
              "f: expected it to capture the same tensors each time it is evaluated; the evaluation in the "
              "backward pass captured others than the one in the forward pass");
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (leaf(now[i]) == nullptr) continue;
    const at::Tensor& variable = leaf(now[i])->variable;
    TORCH_CHECK(
        variable._version() == versions_[i],
        "f: expected what it captured to be the same when the backward pass evaluates it again, but a "
        "tensor of shape ",
        variable.sizes(), " that requires a gradient has been edited in place since the forward pass");
  }
}

void Evaluation::expect_same(const Tape& again) const {
  expect_same_captures(again);
  if (value_._version() != value_version_) return;  // what came of the value is no concern of the map
  const double difference = disagreement(again.value(), value_);
  TORCH_CHECK(
      difference == 0.0,
      "f: expected the same value when the backward pass evaluates it again, but it differs by ", difference,
      " from that in the forward pass: something that it reads has been edited since, or it is random");
}

}  // namespace stillpoint::detail
