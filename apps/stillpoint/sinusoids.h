#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace stillpoint::app {

/// Points of each task, `[tasks, points, 1]`.
struct Points {
  at::Tensor x;
  at::Tensor y;
};

/// Tasks of regression: y = a sin(x − φ) for x of [−5, 5], with an amplitude a of [0.1, 5] and a phase φ of
/// [0, π]. (Finn, Abbeel, Levine 2017, section 5.1.)
struct Sinusoids {
  at::Tensor amplitude;  ///< [tasks, 1, 1]
  at::Tensor phase;

  /// By LibTorch's own generator, as all that is drawn here.
  static Sinusoids draw(std::int64_t tasks);
  /// So many points of each, uniformly.
  Points points(std::int64_t count) const;
  at::Tensor operator()(const at::Tensor& x) const;
};

/// The weights of a network of 1-40-40-1 with ReLU for each task: per layer `[tasks, in, out]` and
/// `[tasks, 1, out]`.
using Weights = std::vector<at::Tensor>;

/// Of one network, drawn as `torch::nn::Linear` draws them.
Weights initial_weights();
/// The same for each of so many tasks, without a copy.
Weights shared_by(std::int64_t tasks, const Weights& weights);
/// `[tasks, points, 1]` for x of that shape.
at::Tensor predict(const Weights& weights, const at::Tensor& x);
/// The mean squared error of each task, `[tasks]`.
at::Tensor squared_errors(const Weights& weights, const Points& points);

}  // namespace stillpoint::app
