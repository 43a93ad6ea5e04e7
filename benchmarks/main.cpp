// Measures the budgets: ratios inside one run, on one thread. Exit status 1 if one is over.
//   OPENBLAS_NUM_THREADS=1 build/benchmarks/stillpoint_benchmarks
//   [forward|gradient|memory|evaluations|running_samples|solvers|splitting|tape|odeint|programs|adapt]...

#include <torch/torch.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "benchmarks.h"

int main(int count, char** arguments) {
  const std::map<std::string, std::function<void(Table&)>> subjects{
      {"forward", forward},
      {"gradient", gradient},
      {"memory", memory},
      {"tape", tape},
      {"evaluations", evaluations},
      {"running_samples", running_samples},
      {"solvers", solvers},
      {"splitting", splitting},
      {"odeint", odeint},
      {"programs", programs},
      {"adapt", adapt},
  };
  std::vector<std::string> chosen(arguments + 1, arguments + count);
  for (const auto& name : chosen) {
    if (!subjects.contains(name)) {
      std::fprintf(stderr,
                   "unknown benchmark '%s': expected forward, gradient, memory, evaluations, "
                   "running_samples, solvers, splitting, tape, odeint, programs or adapt\n",
                   name.c_str());
      return 2;
    }
  }
  const char* blas_threads = std::getenv("OPENBLAS_NUM_THREADS");
  if (blas_threads == nullptr || std::string(blas_threads) != "1") {
    std::fprintf(stderr, "set OPENBLAS_NUM_THREADS=1: the budgets are for one thread\n");
    return 2;
  }
  if (chosen.empty()) {
    chosen = {"forward", "gradient", "memory",   "evaluations", "running_samples", "solvers", "splitting",
              "tape",    "odeint",   "programs", "adapt"};
  }
  at::set_num_threads(1);
  Table table;
  for (const auto& name : chosen) {
    torch::manual_seed(0);
    subjects.at(name)(table);
  }
  return table.all_within_limits() ? 0 : 1;
}
