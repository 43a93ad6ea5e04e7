#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "stillpoint/core/mask.h"

namespace stillpoint {

/// The best iterate of each sample, and its residual. Samples end one by one: of those that have, it keeps
/// what they ended with, whatever the others do afterwards.
///
/// The iterate itself is kept while all running samples improve together, which costs nothing. Rows are
/// copied only from the moment that some do not, or that some end.
class BestIterate {
 public:
  /// Of `batch` samples, none of which has an iterate yet.
  explicit BestIterate(std::int64_t batch);

  /// Of the best iterates; NaN before the first.
  const std::vector<double>& residual() const { return residual_; }
  /// Whether this is less than the best residual of a sample, and no NaN. Any number is less than NaN.
  bool improves(std::size_t sample, double residual) const {
    return residual < residual_[sample] || (std::isnan(residual_[sample]) && !std::isnan(residual));
  }
  /// Whether it is less in each sample, as numbers are; one pass without a branch.
  bool improves_all(const std::vector<double>& residual) const;

  /// Takes `z`, `[B, …]`, contiguous and not written to afterwards, as the best iterate of all samples.
  void take(at::Tensor z, const std::vector<double>& residual);
  /// Takes the rows of `z` that are marked as better, which are some of those that run. The first time, these
  /// must be all.
  void take(at::Tensor z, const std::vector<double>& residual, const Mask& better, const Mask& running);
  /// Corrects the residual of the best iterate of a sample.
  void restate(std::size_t sample, double residual) { residual_[sample] = residual; }

  /// Keeps the rows that are marked, which have run so far.
  void end(const Mask& ending);
  /// Lets more samples run again, from what they have come to. `running` are those that run until then.
  void go_on(const Mask& running);

  /// The best iterate of each sample, of which `running` have not ended. Not a copy while samples have not
  /// parted.
  at::Tensor value(const Mask& running) const;
  /// Whether that combines several iterates.
  bool parted() const { return ended_.defined(); }

 private:
  std::vector<double> residual_;
  at::Tensor live_;  // best iterates of the samples that run; shared with the caller unless owned
  bool owned_ = false;
  at::Tensor ended_;  // rows of the samples that have ended; undefined until samples part ways
};

}  // namespace stillpoint
