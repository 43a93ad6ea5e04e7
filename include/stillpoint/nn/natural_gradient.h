#pragma once

#include <torch/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "stillpoint/nn/curvature_step.h"

namespace stillpoint::detail {
class DampedSteps;
}  // namespace stillpoint::detail

namespace stillpoint::nn {

/// Options of `NaturalGradient`. Parameter groups may differ in `weight_decay`; all else is one for the joint
/// step.
struct NaturalGradientOptions : torch::optim::OptimizerCloneableOptions<NaturalGradientOptions> {
  NaturalGradientOptions(double first_trial = 1);  // NOLINT(google-explicit-constructor): as LibTorch
  /// > 0: the first trial step, as a multiple of the full one.
  TORCH_ARG(double, lr) = 1;
  /// ≥ 0, of the first step if it adapts: added to the diagonal of the matrix, in units of loss per squared
  /// parameter. 0: none; the step is then the natural gradient itself, and does not depend on how the model
  /// is parametrized.
  TORCH_ARG(double, damping) = 0.1;
  /// Whether the damping follows how well the model foretells the loss: ·⅔ above ¾, ·3/2 below ¼.
  TORCH_ARG(bool, adapt_damping) = true;
  /// ≥ 1: products with the matrix in a step.
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

/// Natural gradient descent, as a LibTorch optimizer: d = −(F + damping · I)⁻¹ g by conjugate gradients, with
/// a matrix F that is positive semidefinite, so that d always leads downwards. A step is halved until the
/// loss falls; where it does not, the parameters stay as they are, and `last_step` says so.
///
///     nn::NaturalGradient optimizer(net->parameters());
///     optimizer.step([&] { return net->forward(x); },
///                    [&](const Tensor& logits) { return cross_entropy(logits, labels); });
///
/// Products replay one recorded evaluation (`gauss_newton_at`, `fisher_at`) and go through implicit layers.
/// Cost of a step: a gradient, a product for each inner step, and an evaluation of the loss for each trial.
/// (Amari 1998, Neural Computation 10; Martens 2020, Journal of Machine Learning Research 21; damping after
/// Martens 2010, Deep learning via Hessian-free optimization, ICML.)
class NaturalGradient : public torch::optim::Optimizer {
 public:
  using Outputs = std::function<at::Tensor()>;
  using LossOfOutputs = std::function<at::Tensor(const at::Tensor& outputs)>;

  explicit NaturalGradient(std::vector<torch::optim::OptimizerParamGroup> groups,
                           const NaturalGradientOptions& defaults = {});
  explicit NaturalGradient(std::vector<at::Tensor> parameters, const NaturalGradientOptions& defaults = {});
  ~NaturalGradient() override;

  /// One step with the Gauss–Newton matrix of loss(outputs()), a single number that is convex in the outputs.
  /// Where it is a mean negative log-likelihood in the natural parameters of an exponential family (cross
  /// entropy of logits, squares of means), the matrix is the Fisher information. Neither function calls
  /// backward(). Both are called several times and have to be deterministic in between. Returns the loss
  /// before the step. A c10::Error names an option out of its range, or what is wrong with a function.
  at::Tensor step(const Outputs& outputs, const LossOfOutputs& loss);

  /// The same with the empirical Fisher matrix, the mean of g gᵀ over the samples. `closure` returns their
  /// negative log-likelihoods, `[B]`, whose mean is lowered; nor does it call backward(). Near a minimum this
  /// matrix is the Fisher information only if the model fits the data; prefer the step above. (Kunstner,
  /// Balles, Hennig 2019, NeurIPS.)
  at::Tensor step(LossClosure closure) override;

  /// How the latest step went.
  const CurvatureStep& last_step() const;

  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  std::unique_ptr<stillpoint::detail::DampedSteps> steps_;
};

}  // namespace stillpoint::nn
