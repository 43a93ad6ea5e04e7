#include "stillpoint/optim/minimizers/trust_region.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <optional>

#include "core/rows/rows.h"
#include "descent/more_sorensen.h"
#include "optim/minimizers/region_descent.h"
#include "stillpoint/optim/minimizers/steihaug_cg.h"

namespace stillpoint::optim {
namespace {

void check_radius(const char* name, const std::optional<double>& radius) {
  TORCH_CHECK(!radius || *radius > 0.0, name, ".radius: expected a number > 0, got ", *radius);
}

}  // namespace

void TrustRegion::minimize(detail::Descent& descent) const {
  check_radius("TrustRegion", radius);
  descent.look_for_saddles();
  detail::RegionDescent region(descent, radius);
  at::Tensor hessian;
  std::optional<detail::MoreSorensen> model;
  while (region.goes_on()) {
    const at::Tensor gradient = descent.free_gradient();
    if (region.moved()) {
      hessian = descent.hessian();
      // A variable that a bound holds has no gradient and no curvature; with some, the model stays regular.
      const at::Tensor held = 1 - descent.freedom().reshape({gradient.size(0), -1});
      model.emplace(hessian + at::diag_embed(held), gradient.reshape({gradient.size(0), -1}));
    }
    const Map product = [&](const at::Tensor& v) {
      return at::matmul(hessian, v.reshape({v.size(0), -1, 1})).reshape(v.sizes());
    };
    const at::Tensor step =
        model->step(region.radius().reshape({-1, 1})).to(gradient.scalar_type()).reshape(gradient.sizes());
    region.advance({step.contiguous(), product(step)}, product);
  }
}

void SteihaugCg::minimize(detail::Descent& descent) const {
  TORCH_CHECK(max_products >= 1, "SteihaugCg.max_products: expected ≥ 1, got ", max_products);
  check_radius("SteihaugCg", radius);
  detail::RegionDescent region(descent, radius);
  at::Tensor first;  // norms of the gradients at the start
  Map hessian;
  while (region.goes_on()) {
    const at::Tensor gradient = descent.free_gradient();
    const at::Tensor size = detail::row_dot(gradient, gradient).sqrt();
    first = first.defined() ? at::maximum(first, size) : size;
    const at::Tensor allowed = detail::quotient_or_zero(size, first).sqrt().clamp_max(0.5) * size;
    if (region.moved()) hessian = descent.hessian_product();
    region.advance(detail::steihaug(hessian, gradient, region.radius(), allowed, max_products), hessian);
  }
}

}  // namespace stillpoint::optim
