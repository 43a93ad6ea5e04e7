#include "stillpoint/optim/adapt.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "stillpoint/autograd/tape.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {
namespace {

void check_options(const AdaptOptions& options) {
  TORCH_CHECK(options.steps >= 0, "steps: expected ≥ 0, got ", options.steps);
  TORCH_CHECK(options.rate > 0 && std::isfinite(options.rate), "rate: expected a finite number > 0, got ",
              options.rate);
  TORCH_CHECK(options.checkpoint_every >= 0, "checkpoint_every: expected ≥ 0, got ",
              options.checkpoint_every);
}

void check_losses(const at::Tensor& losses, const at::Tensor& like) {
  TORCH_CHECK(losses.defined(), "loss: expected one number for each task, got an undefined tensor");
  TORCH_CHECK(losses.dim() == 1 && losses.size(0) == like.size(0),
              "loss: expected one number for each task, shape [", like.size(0), "], got shape ",
              losses.sizes());
  TORCH_CHECK(losses.scalar_type() == like.scalar_type() && losses.device() == like.device(),
              "loss: expected ", like.scalar_type(), " on ", like.device(), " as the start, got ",
              losses.scalar_type(), " on ", losses.device());
}

// The gradient of each task in its parameters; undefined where the loss ignores one. To the tape they are
// what the evaluation captured: so it takes a list of them without packing, which costs as much as a step.
State gradient_of(const TaskLoss& loss, const State& parameters, bool create_graph) {
  const c10::InferenceMode no_inference(false);  // which would record nothing
  State inputs;
  inputs.reserve(parameters.size());
  for (const at::Tensor& t : parameters) {
    const bool stays = create_graph && t.requires_grad();
    inputs.push_back(stays ? t : (t.is_inference() ? t.clone() : t.detach()).requires_grad_());
  }
  const Tape tape(
      [&](const at::Tensor& /*nothing*/) {
        at::Tensor losses = loss(inputs);
        check_losses(losses, inputs[0]);
        return losses;
      },
      at::empty({0}, inputs[0].options()));
  const State found = tape.pull_back(at::ones_like(tape.value()), create_graph);
  State gradient(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto edge = torch::autograd::impl::gradient_edge(inputs[i]);
    const auto at = std::ranges::find(tape.captured(), edge);
    if (at != tape.captured().end()) gradient[i] = found[at - tape.captured().begin()];
  }
  return gradient;
}

State step_down(const TaskLoss& loss, const State& from, const AdaptOptions& options) {
  const State gradient = gradient_of(loss, from, at::GradMode::is_enabled() && !options.first_order);
  State to = from;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (gradient[i].defined()) to[i] = at::sub(from[i], gradient[i], options.rate);
  }
  return to;
}

// The same tensors where nobody else holds them. The loss may have captured the start itself, and its
// gradient in that is not the one in its argument.
State aliases(const State& state) {
  State views;
  views.reserve(state.size());
  for (const at::Tensor& t : state) views.push_back(t.view_as(t));
  return views;
}

}  // namespace

State adapt(const TaskLoss& loss, const State& start, const AdaptOptions& options) {
  TORCH_CHECK(loss != nullptr, "loss: expected a function, got an empty one");
  check_options(options);
  const Packing checked(start);
  std::int64_t taken = 0;
  const auto again = [loss, options](const State& from) { return step_down(loss, from, options); };
  const NextStep next = [&](const State& from) -> std::optional<Step> {
    if (taken == options.steps) return {};
    ++taken;
    return Step{.next = again(from), .again = again, .moved = {}};
  };
  return options.checkpoint_every == 0 ? unroll(aliases(start), next)
                                       : unroll_checkpointed(aliases(start), next, options.checkpoint_every);
}

}  // namespace stillpoint
