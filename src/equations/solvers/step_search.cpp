#include "equations/solvers/step_search.h"

#include <ATen/TensorOperators.h>

#include <utility>

#include "core/rows/rows.h"
#include "descent/line_search.h"

namespace stillpoint::detail {

LinearizedPoint::LinearizedPoint(const CheckedMap& f, const at::Tensor& start, const Monitor& monitor)
    : z(start), linearization(std::make_unique<Linearization>(f, start)) {
  monitor.norms(z, linearization->residual(), norms);
}

void search_step(const CheckedMap& f, const Monitor& monitor, const std::vector<at::Tensor>& candidates,
                 std::int64_t max_halvings, LinearizedPoint& point) {
  const auto whole = static_cast<std::int64_t>(candidates.size());
  std::vector<double> slope = point.norms.residual;  // of ‖r‖ along Newton's step: −‖r‖
  for (double& number : slope) number = -number;
  LineSearch search(point.norms.residual, std::move(slope), monitor.running());
  at::Tensor step = candidates.front();
  for (std::int64_t trials = 1;; ++trials) {
    LinearizedPoint there(f, select_rows(monitor.running(), point.z + step, point.z), monitor);
    if (!search.judge(there.norms.residual) || trials - whole == max_halvings) {
      point = std::move(there);
      return;
    }
    if (trials >= whole) search.halve();
    const at::Tensor& next = trials < whole ? candidates[trials] : candidates.front();
    step = select_rows(search.searching(), next * to_column(search.lengths(), next), step);
  }
}

}  // namespace stillpoint::detail
