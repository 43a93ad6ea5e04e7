#include "optimization_experiments.h"

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

}  // namespace stillpoint::app
