#pragma once

#include <torch/optim/optimizer.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "stillpoint/nn/curvature_step.h"

namespace stillpoint::detail {
class DampedSteps;
}  // namespace stillpoint::detail

namespace stillpoint::nn {

/// Options of `NewtonCg`. Parameter groups may differ in `weight_decay`; all else is one for the joint step.
struct NewtonCgOptions : torch::optim::OptimizerCloneableOptions<NewtonCgOptions> {
  NewtonCgOptions(double first_trial = 1);  // NOLINT(google-explicit-constructor): as LibTorch
  /// > 0: the first trial step, as a multiple of the full one.
  TORCH_ARG(double, lr) = 1;
  /// ≥ 0, of the first step if it adapts: added to the diagonal of the Hessian, in units of loss per squared
  /// parameter. 0: none, and the line search alone keeps steps short.
  TORCH_ARG(double, damping) = 0;
  /// Whether the damping follows how well the model foretells the loss: ·⅔ above ¾, ·3/2 below ¼.
  TORCH_ARG(bool, adapt_damping) = true;
  /// ≥ 1: products with the Hessian in a step.
  TORCH_ARG(std::int64_t, max_products) = 100;
  /// In (0, 1): the inner iteration ends where its residual is this part of the gradient's norm, and ever
  /// less as that norm falls below the largest one seen. Small where a step is to be exact.
  TORCH_ARG(double, tolerance) = 0.5;
  /// ≥ 1: evaluations of the loss in the search along the step, each at half the length of the one before.
  TORCH_ARG(std::int64_t, max_trials) = 10;
  /// ≥ 0: ½ · weight_decay · ‖x‖² is added to the loss, for the parameters of a group.
  TORCH_ARG(double, weight_decay) = 0;

 public:
  void serialize(torch::serialize::InputArchive& archive) override;
  void serialize(torch::serialize::OutputArchive& archive) const override;
  double get_lr() const override;
  void set_lr(double lr) override;
};

/// Newton's method for training, as a LibTorch optimizer: conjugate gradients solve (H + damping · I) d = −g
/// by products with the exact Hessian, and end where its curvature is negative. A step is halved until the
/// loss falls; where it does not, the parameters stay as they are, and `last_step` says so. For losses over
/// all data or over batches large enough that their curvature means something.
///
/// Products replay one recorded gradient (`hessian_at`) and go through implicit layers. Cost of a step: a
/// gradient, a product for each inner step, and an evaluation of the loss for each trial. (Nocedal, Wright
/// 2006, algorithm 7.1; damping after Martens 2010, Deep learning via Hessian-free optimization, ICML.)
class NewtonCg : public torch::optim::Optimizer {
 public:
  explicit NewtonCg(std::vector<torch::optim::OptimizerParamGroup> groups,
                    const NewtonCgOptions& defaults = {});
  explicit NewtonCg(std::vector<at::Tensor> parameters, const NewtonCgOptions& defaults = {});
  ~NewtonCg() override;

  /// One step. `closure` evaluates the loss and returns it, a single number with its graph; unlike that of
  /// LBFGS it does not call backward(), which would free what the products need. It is called several times
  /// and has to be deterministic in between. Returns the loss before the step. A c10::Error names an option
  /// out of its range, parameters that require no gradient, or a loss that cannot be differentiated twice.
  at::Tensor step(LossClosure closure) override;

  /// How the latest step went.
  const CurvatureStep& last_step() const;

  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  std::unique_ptr<stillpoint::detail::DampedSteps> steps_;
};

}  // namespace stillpoint::nn
