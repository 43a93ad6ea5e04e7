#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "support/layer_check.h"

namespace stillpoint::test {

/// A projection under test, as a function of its inputs, of which the first are the points `[B, …]`.
struct Projection {
  std::string name;
  std::function<Tensor(const std::vector<Tensor>& inputs)> project;
  std::vector<Input> inputs;
  /// Points of the set, made of normal numbers shaped like the points, by other means than the projection;
  /// empty for maps that are no projections onto a set.
  std::function<Tensor(const std::vector<Tensor>& inputs, const Tensor& normal)> member = {};
  /// How far each row is outside the set, ≥ 0.
  std::function<Tensor(const std::vector<Tensor>& inputs, const Tensor& x)> violation = {};

  std::vector<Tensor> values(torch::Dtype dtype = torch::kDouble) const;
  /// The inputs of some of the samples.
  std::vector<Tensor> rows(std::int64_t first, std::int64_t count) const;
};

inline std::ostream& operator<<(std::ostream& out, const Projection& p) { return out << p.name; }

/// The one list of what the suites of the projections run on.
std::vector<Projection> projections();

}  // namespace stillpoint::test
