#include "results.h"

#include <numbers>
#include <utility>

namespace stillpoint::app {

VariantResult summarize(std::string name, Task task, std::vector<Epoch> epochs, const Pass& test,
                        bool counts_evaluations) {
  VariantResult result;
  result.name = std::move(name);
  result.test_error = test.error;
  result.forward_iterations = test.iterations;
  if (task == Task::Characters) {
    result.bits_per_character = test.loss / std::numbers::ln2;
  }
  if (task == Task::Trajectories) {
    result.mean_absolute_error = test.error;
  }
  if (task == Task::Signals) {
    result.test_mse = test.error;
  }
  if (!epochs.empty()) {
    const auto& last = epochs.back().train;
    result.train_error = last.error;
    result.forward_iterations = last.iterations;
    result.backward_iterations = last.backward_iterations;
    double seconds = 0;
    for (const auto& epoch : epochs) {
      seconds += epoch.train.seconds;
    }
    result.seconds_per_epoch = seconds / static_cast<double>(epochs.size());
  }
  if (counts_evaluations) {
    std::swap(result.forward_iterations, result.forward_evaluations);
    std::swap(result.backward_iterations, result.backward_evaluations);
  }
  result.epochs = std::move(epochs);
  return result;
}

}  // namespace stillpoint::app
