#include "optimization_experiments.h"

#include "denoise_network.h"
#include "experiment_parts.h"
#include "projection_network.h"
#include "sudoku_network.h"
#include "top_k_network.h"

namespace stillpoint::app {

Experiment sudoku_experiment() {
  return {.name = "sudoku",
          .description =
              "A quadratic program of 64 unknowns fills sudoku boards of 4 x 4; it learns its 40 equations",
          .task = Task::Boards,
          .load = load_boards,
          .data = {},
          .recipe = {.batch = 150,
                     .epochs = 10,
                     .optimizer = Recipe::Optimizer::Adam,
                     .rate = [](double, double) { return 0.1; },
                     .only_converged = true},
          .variants = {variant_of<SudokuNetwork>("quadratic-program")},
          .reference = {},
          .keeps_first_output = true};
}

// The published steps: 1e-2 for the difference, 1e-4 where training begins at total variation, 1e-3 else.
Experiment denoise_experiment() {
  const auto with_rate = [](Variant variant, double rate) {
    variant.rate = rate;
    return variant;
  };
  using Start = LearnedDifferenceNetwork::Start;
  const bool learns_weight = true;
  return {
      .name = "denoise",
      .description =
          "Total variation of signals of length 100, with a difference operator or a weight that is learned",
      .task = Task::Signals,
      .load = own_data("denoise", make_signals),
      .data = {},
      .recipe = {.batch = 150,
                 .epochs = 50,
                 .optimizer = Recipe::Optimizer::Adam,
                 .rate = [](double, double) { return 1e-3; },
                 .only_converged = true},
      .variants = {with_rate(variant_of<LearnedDifferenceNetwork>("learned-difference", Start::Random), 10),
                   with_rate(variant_of<LearnedDifferenceNetwork>("tuned-difference", Start::TotalVariation),
                             0.1),
                   with_rate(variant_of<TotalVariationNetwork>("learned-weight", learns_weight), 0.1),
                   variant_of<TotalVariationNetwork>("total-variation", !learns_weight),
                   variant_of<ReluNetwork>("relu")},
      .reference = {},
      .measured = 20};
}

namespace {

Recipe images_by_adam(std::int64_t batch, std::int64_t epochs) {
  return {.batch = batch,
          .epochs = epochs,
          .optimizer = Recipe::Optimizer::Adam,
          .rate = [](double, double) { return 1e-3; },
          .only_converged = true};
}

}  // namespace

Experiment projection_experiment() {
  return {.name = "projection",
          .description =
              "Linear(784, 600), Linear(600, 10), then a projection onto shares of the classes, or softmax",
          .task = Task::Shares,
          .load = load_images,
          .data = kFashion,
          .recipe = images_by_adam(100, 3),
          .variants = {variant_of<ShareNetwork>("softmax"), variant_of<SimplexNetwork>("simplex"),
                       variant_of<BoundedSimplexNetwork>("bounded-simplex"),
                       variant_of<LearnedBoundsNetwork>("learned-bounds")},
          .reference = {}};
}

Experiment top_k_experiment() {
  using Layer = TopKNetwork::Layer;
  return {
      .name = "top-k",
      .description =
          "Scores of 8 images by two convolutions and Linear(512, 1), then a smooth choice of the best three",
      .task = Task::Choices,
      .load = load_image_sets,
      .data = kFashion,
      .recipe = images_by_adam(20, 10),
      .variants = {variant_of<TopKNetwork>("soft-top-k", Layer::SoftTopK),
                   variant_of<TopKNetwork>("capped-simplex", Layer::CappedSimplex),
                   variant_of<TopKNetwork>("sigmoid", Layer::Sigmoid)},
      .reference = {}};
}

}  // namespace stillpoint::app
