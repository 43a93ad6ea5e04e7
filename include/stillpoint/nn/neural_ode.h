#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <utility>

#include "stillpoint/nn/field_module.h"
#include "stillpoint/ode/odeint.h"

namespace stillpoint::nn {

/// A layer that follows dy/dt = field(t, y), for any module `field` with `forward(Tensor t, Tensor y) →
/// Tensor` or `forward(Tensor y) → Tensor`. (Chen, Rubanova, Bettencourt, Duvenaud 2018.)
///
/// Its parameters and buffers are those of the field, under the name "field". Save, load, `to` and `clone`
/// work as for any module (clone needs a field that is `Cloneable`). A field must be deterministic within a
/// solve: no new dropout masks, no updates of batch statistics. With `ode::Euler` and steps of length 1 it is
/// a residual network whose layers share their weights.
class NeuralOdeImpl : public torch::nn::Cloneable<NeuralOdeImpl> {
 public:
  template <class Field>
  explicit NeuralOdeImpl(const torch::nn::ModuleHolder<Field>& field, OdeintOptions solve_options = {})
      : options(std::move(solve_options)), field_(field) {
    register_module("field", field_.module());
  }

  /// y(1) from y(0) = y0, `[B, …]`.
  at::Tensor forward(const at::Tensor& y0);
  /// y at all times, `[B, T, …]`, y0 first; see `odeint`.
  at::Tensor trajectory(const at::Tensor& y0, const ode::Times& t);

  /// How the latest solve went.
  const ode::Stats& stats() const { return stats_; }

  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  OdeintOptions options;

 private:
  FieldModule field_;
  ode::Stats stats_;
};

TORCH_MODULE(NeuralOde);

}  // namespace stillpoint::nn
