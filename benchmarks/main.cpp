// Measures the budgets: ratios inside one run, on one thread. Exit status 1 if one is over.
//   OPENBLAS_NUM_THREADS=1 build/benchmarks/stillpoint_benchmarks [SUBJECT]...
// The subjects stand below; without one, all run.

#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks.h"

namespace {

using Subject = std::pair<std::string, void (*)(Table&)>;

const std::vector<Subject> kSubjects{{"forward", forward},
                                     {"gradient", gradient},
                                     {"memory", memory},
                                     {"evaluations", evaluations},
                                     {"running_samples", running_samples},
                                     {"solvers", solvers},
                                     {"splitting", splitting},
                                     {"tape", tape},
                                     {"products", products},
                                     {"odeint", odeint},
                                     {"programs", programs},
                                     {"least_squares", least_squares},
                                     {"adapt", adapt}};

}  // namespace

int main(int count, char** arguments) {
  const std::set<std::string> chosen(arguments + 1, arguments + count);
  for (const auto& name : chosen) {
    if (std::ranges::find(kSubjects, name, &Subject::first) != kSubjects.end()) continue;
    std::fprintf(stderr, "unknown benchmark '%s': expected one of", name.c_str());
    for (const auto& subject : kSubjects) std::fprintf(stderr, " %s", subject.first.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  const char* blas_threads = std::getenv("OPENBLAS_NUM_THREADS");
  if (blas_threads == nullptr || std::string(blas_threads) != "1") {
    std::fprintf(stderr, "set OPENBLAS_NUM_THREADS=1: the budgets are for one thread\n");
    return 2;
  }
  at::set_num_threads(1);
  Table table;
  for (const auto& [name, measure] : kSubjects) {
    if (!chosen.empty() && !chosen.contains(name)) continue;
    torch::manual_seed(0);
    measure(table);
  }
  return table.all_within_limits() ? 0 : 1;
}
