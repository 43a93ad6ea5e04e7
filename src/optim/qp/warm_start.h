#pragma once

#include <optional>

#include "optim/qp/program_batch.h"

namespace stillpoint::detail {

/// Where the solution of an earlier program may lead: its point and active set, sample by sample.
class WarmStart {
 public:
  /// Throws if the solution does not have the batch's shapes.
  WarmStart(const optim::ProgramSolution& solution, const ProgramBatch& batch);

  /// Nothing if that sample was not solved.
  std::optional<Outcome> sample(std::int64_t i, const ProgramNumbers::Sample& own) const;

 private:
  at::Tensor x_, y_, dual_, slack_;  // double, on the host; dual and slack of all rows
};

}  // namespace stillpoint::detail
