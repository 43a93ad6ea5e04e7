#include "stillpoint/root/newton.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/rows.h"
#include "root/step_search.h"
#include "stillpoint/root/linearization.h"

namespace stillpoint {
namespace {

// The Newton step for each sample; the residual itself where that is not to be had.
at::Tensor newton_direction(const Linearization& at) {
  const at::Tensor& r = at.residual();
  if (r.numel() == 0) return r;
  const at::Tensor rhs = r.reshape({r.size(0), detail::row_width(r), 1});
  const at::Tensor d = std::get<0>(at::linalg_solve_ex(at.dense(), rhs)).squeeze(2);
  const at::Tensor usable = at::isfinite(d).all(1, /*keepdim=*/true);
  return at::where(usable, d, rhs.squeeze(2)).view(r.sizes());
}

}  // namespace

void Newton::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor) const {
  TORCH_CHECK(max_halvings >= 0, "Newton.max_halvings: expected ≥ 0, got ", max_halvings);
  at::Tensor z = z0;
  RowNorms current;
  RowNorms trial_norms;
  auto here = std::make_unique<Linearization>(f, z);
  monitor.norms(z, here->residual(), current);
  while (monitor.update(z, current)) {
    detail::StepSearch search(newton_direction(*here), monitor.running());
    if (f.equation() == Equation::FixedPoint) search.then_try(here->residual());
    for (std::int64_t halvings = -1;; ++halvings) {
      const at::Tensor trial = detail::select_rows(monitor.running(), z + search.step(), z);
      here = std::make_unique<Linearization>(f, trial);
      monitor.norms(trial, here->residual(), trial_norms);
      if (search.settle(trial_norms, current) || halvings == max_halvings) {
        z = trial;
        break;
      }
      search.next();
    }
    std::swap(current, trial_norms);
  }
}

}  // namespace stillpoint
