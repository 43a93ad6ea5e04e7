#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "stillpoint/core/map.h"
#include "stillpoint/core/monitor.h"

namespace stillpoint::detail {

/// A map that can be evaluated for some of the samples.
struct DivisibleMap {
  MapWithInputs f;
  std::vector<at::Tensor> inputs;
  const char* name;  ///< in error messages
  Equation equation;
};

/// A map evaluated for the samples that still run; the others get a residual of zero, as if it were −z there.
/// The set is narrowed when a quarter of it has finished, and with it the inputs, so that gathering costs
/// little. The first time, what comes out is compared with the whole map, to refuse one whose samples depend
/// on each other.
class RunningSamples {
 public:
  RunningSamples(DivisibleMap map, const Monitor& monitor) : map_(std::move(map)), monitor_(monitor) {}

  at::Tensor operator()(const at::Tensor& z);
  std::int64_t sample_evaluations() const { return sample_evaluations_; }
  /// Evaluations made to compare.
  std::int64_t checks() const { return checked_ ? 1 : 0; }

 private:
  void narrow(const at::Tensor& z);
  void check_independence(const at::Tensor& z, const at::Tensor& some);

  DivisibleMap map_;
  const Monitor& monitor_;
  at::Tensor index_;  // of the samples evaluated; undefined: all
  Mask evaluated_;    // the same as marks
  std::vector<at::Tensor> inputs_;
  std::int64_t sample_evaluations_ = 0;
  bool checked_ = false;
};

}  // namespace stillpoint::detail
