#include "optimization_experiments.h"

#include "denoise_network.h"
#include "experiment_parts.h"
#include "sudoku_network.h"

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
  const bool learns_weight = true;
  return {
      .name = "denoise",
      .description =
          "Total variation of signals of length 100, with a difference operator or a weight that is learned",
      .task = Task::Signals,
      .load = own_data("denoise", make_signals),
      .data = {},
      .recipe = {.batch = 150,
                 .epochs = 10,
                 .optimizer = Recipe::Optimizer::Adam,
                 .rate = [](double, double) { return 1e-3; },
                 .only_converged = true},
      .variants = {with_rate(variant_of<LearnedDifferenceNetwork>("learned-difference"), 10),
                   with_rate(variant_of<TotalVariationNetwork>("learned-weight", learns_weight), 0.1),
                   variant_of<TotalVariationNetwork>("total-variation", !learns_weight),
                   variant_of<ReluNetwork>("relu")},
      .reference = {},
      .measured = 20};
}

}  // namespace stillpoint::app
