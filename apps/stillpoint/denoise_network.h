#pragma once

#include <torch/nn/modules/linear.h>

#include <cstdint>

#include "network.h"
#include "stillpoint/optim/program_solution.h"

// Noisy signals [B, 100] → signals [B, 100] that should be piecewise constant. (Amos, Kolter 2017, OptNet,
// section 4.2.)
namespace stillpoint::app {

/// The x of min ½‖x − y‖² + λ Σ |xᵢ₊₁ − xᵢ|, by `optim::total_variation`, with a λ of 21.21 that is fixed, or
/// whose logarithm is learned from there.
class TotalVariationNetwork : public Network {
 public:
  explicit TotalVariationNetwork(bool learns_weight);

  at::Tensor forward(const at::Tensor& noisy) override;

 private:
  at::Tensor log_weight_;
};

/// The x of the program of 199 unknowns
///   min ½‖x‖² − y'x + λ Σ tᵢ + ½ (1e-4 ‖x‖² + (1e-4 + 1e-8) ‖t‖²) subject to |D x| ≤ t,
/// which is total variation where D takes the difference of neighbors. Here D `[99, 100]` is learned: from
/// N(0, 0.3²) with λ = 13 and 0.1 Σ |Dᵢⱼ| added to the loss, or, tuned, from that of total variation with λ =
/// 21.21. The small terms make the program strictly convex; all numbers are those published with the code. It
/// is solved in double.
class LearnedDifferenceNetwork : public Network {
 public:
  enum class Start : std::uint8_t { Random, TotalVariation };
  explicit LearnedDifferenceNetwork(Start start);

  at::Tensor forward(const at::Tensor& noisy) override;
  std::optional<SolveCost> cost() const override;
  at::Tensor penalty() override;

 private:
  Start start_;
  at::Tensor difference_;
  optim::ProgramStats stats_;
};

/// Linear(100, 50) – ReLU – Linear(50, 100), to compare with.
class ReluNetwork : public Network {
 public:
  ReluNetwork();

  at::Tensor forward(const at::Tensor& noisy) override;

 private:
  torch::nn::Linear encoder_, decoder_;
};

}  // namespace stillpoint::app
