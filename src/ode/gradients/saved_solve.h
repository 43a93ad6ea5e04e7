#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <memory>

#include "autograd/evaluation.h"
#include "autograd/layer_node.h"
#include "stillpoint/autograd/tape.h"
#include "stillpoint/ode/gradient.h"

namespace stillpoint::detail {

/// A frozen solve that waits for its backward pass: a scan through the steps from the last to the first, each
/// recorded again from where it started. Rules differ in where they have that from.
class SavedSolve : public Saved {
 public:
  /// `frozen.values` with the derivatives of the solve. What else the rule is made of follows.
  template <class Rule, class... Choice>
  static at::Tensor attach(const ode::Frozen& frozen, const Choice&... choice) {
    const Tape probe(without_transform(frozen.probe), frozen.y0);
    torch::autograd::edge_list edges = edges_of(frozen, probe);
    if (edges.empty()) return frozen.values;
    at::Tensor out = frozen.values.detach();
    torch::autograd::edge_list next = edges;
    detail::attach(out, "StillpointOdeint", std::move(next),
                   std::make_shared<Rule>(frozen, probe, std::move(edges), choice...));
    return out;
  }

  SavedSolve(const ode::Frozen& frozen, const Tape& probe, torch::autograd::edge_list edges);

  torch::autograd::variable_list differentiate(const std::shared_ptr<torch::autograd::Node>& node,
                                               const at::Tensor& g) const final;

 protected:
  struct Backward {
    at::Tensor g;
    at::Tensor adjoint;
    torch::autograd::variable_list sums;  // one for each edge
  };

  const ode::Frozen& frozen() const { return frozen_; }
  /// Pulls the adjoint back through all steps.
  virtual void reverse(const at::Tensor& y0, Backward& pass) const = 0;
  /// Pulls the adjoint back through a step that starts from y.
  void pull_back(std::size_t number, const at::Tensor& y, Backward& pass) const;

 private:
  /// y0 first, then all that the solve reads; empty if nothing requires a gradient.
  static torch::autograd::edge_list edges_of(const ode::Frozen& frozen, const Tape& probe);
  torch::autograd::variable_list differentiable(const at::Tensor& y0, const at::Tensor& g) const;
  void add(const Tape& tape, const torch::autograd::variable_list& gradients,
           torch::autograd::variable_list& sums) const;
  Map step(std::size_t number) const;
  void expect_same(const at::Tensor& value, std::size_t number) const;

  ode::Frozen frozen_;
  Evaluation evaluation_;
  torch::autograd::edge_list edges_;
  torch::autograd::SavedVariable y0_;
};

}  // namespace stillpoint::detail
