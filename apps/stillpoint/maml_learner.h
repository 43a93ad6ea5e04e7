#pragma once

#include <torch/optim/adam.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "learner.h"
#include "sinusoids.h"

namespace stillpoint::app {

/// Learns weights from which steps of gradient descent on a few points of a sinusoid lead to that sinusoid.
class MamlLearner : public Learner {
 public:
  /// How the loss after adaptation is differentiated in the weights before it.
  enum class Gradient {
    Exact,       ///< through a step of gradient descent (Finn, Abbeel, Levine 2017)
    FirstOrder,  ///< the same, with the gradient in the step as a constant
    /// Through the minimum of squared error + λ/2 ‖φ − θ‖², by the implicit function theorem (Rajeswaran,
    /// Finn, Kakade, Levine 2019).
    Implicit,
  };

  MamlLearner(std::int64_t shots, Gradient gradient);

  Figures run_round() override;
  nlohmann::ordered_json results() override;
  std::int64_t parameters() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  std::int64_t shots() const { return shots_; }
  /// The weights of each task before and after each of so many steps on its points: of gradient descent, or
  /// of the solver that looks for the minimum where that is differentiated.
  std::vector<Weights> adapted(const Points& support, std::int64_t steps) const;

 private:
  /// The points of so many tasks: to adapt to, and to be judged by.
  struct Episode {
    Points support;
    Points query;
  };
  /// Mean squared errors of tasks, and how far these means may be from those of all tasks.
  struct Errors {
    std::vector<double> after_steps;
    std::vector<double> margins;  ///< half of the 95 % confidence interval
  };

  struct Minimum {
    Weights weights;
    at::Tensor found;  ///< [tasks]: 1 where they are its minimum, to the tolerance; else 0
  };

  Episode draw_episode() const;
  Minimum proximal_minimum(const Points& support, std::int64_t steps) const;
  at::Tensor meta_loss();
  Errors test(std::int64_t tasks, std::int64_t steps) const;

  std::int64_t shots_;
  Gradient gradient_;
  Weights weights_;
  torch::optim::Adam optimizer_;
  double found_ = 0;  // minima, in this round
};

}  // namespace stillpoint::app
