#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "descent/steihaug.h"
#include "descent/trust_region.h"
#include "optim/minimizers/descent.h"

namespace stillpoint::detail {

/// A descent whose steps are those of quadratic models within radii, one a sample, that grow and shrink with
/// how well the models predict.
class RegionDescent {
 public:
  /// The first radius is that of `first_radius`, or else the length of steepest descent to where the model is
  /// least along it.
  RegionDescent(Descent& descent, std::optional<double> first_radius);

  /// As `Descent::goes_on`.
  bool goes_on();
  /// A column.
  at::Tensor radius() const;
  /// Whether some sample stands elsewhere than at the last proposal.
  bool moved() const { return moved_; }
  /// Tries a step of each running sample, without rows that a bound holds, and takes it where the value falls
  /// as the model says, nearly. `hessian` is asked where a bound cuts the step short.
  void advance(const ModelStep& proposal, const Map& hessian);

 private:
  std::vector<double> gains(const at::Tensor& taken, const std::vector<double>& predicted,
                            const DescentPoint& trial) const;

  Descent& descent_;
  std::optional<double> first_radius_;
  TrustRegion region_;
  std::vector<double> farthest_;  // radii beyond which a fall is one without end
  bool moved_ = true;
};

}  // namespace stillpoint::detail
