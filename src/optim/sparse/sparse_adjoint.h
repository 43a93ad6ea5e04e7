#pragma once

#include <memory>
#include <utility>

#include "optim/qp/kkt_adjoint.h"
#include "optim/sparse/active_set.h"

namespace stillpoint::detail {

/// The derivative's system of a sparse program, by the factorized system of its active set.
class SparseAdjoint : public SampleSystem {
 public:
  SparseAdjoint(std::shared_ptr<const SparseSample> sample, std::shared_ptr<const ActiveSet> set,
                StateLayout layout)
      : sample_(std::move(sample)), set_(std::move(set)), layout_(layout) {}

  void solve(bool transposed, const double* right, double* u) const override;

 private:
  std::shared_ptr<const SparseSample> sample_;
  std::shared_ptr<const ActiveSet> set_;
  StateLayout layout_;
};

}  // namespace stillpoint::detail
