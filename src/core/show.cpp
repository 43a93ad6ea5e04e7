#include "core/show.h"

#include <ATen/core/grad_mode.h>

#include <vector>

#include "core/rows/rows.h"

namespace stillpoint::detail {

void show(const Observer& observer, const Iterate& latest, const BestIterate& best) {
  const at::NoGradGuard no_grad;
  const Mask& running = latest.running;
  if (running.all()) {
    observer({latest.step, latest.z.detach(), latest.residual, running});
    return;
  }
  at::Tensor all = best.value(running);
  if (running.any()) copy_rows(running, latest.z, all);
  std::vector<double> residual = latest.residual;
  for (std::size_t b = 0; b < residual.size(); ++b) {
    if (!running[b]) residual[b] = best.residual()[b];
  }
  observer({latest.step, all, residual, running});
}

}  // namespace stillpoint::detail
