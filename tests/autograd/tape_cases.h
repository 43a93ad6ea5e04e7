#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "support/device.h"

namespace stillpoint::test {

/// A map of z `[3, 4]` and of what it captures: a matrix `[4, 4]`, a vector `[4]`, a batch `[3, 4]`.
struct TapeCase {
  std::string name;
  std::function<Tensor(const Tensor& z, const std::vector<Tensor>& captured)> f;
};

inline std::ostream& operator<<(std::ostream& out, const TapeCase& c) { return out << c.name; }

/// Maps that between them use what autograd graphs are made of.
std::vector<TapeCase> tape_cases();

}  // namespace stillpoint::test
