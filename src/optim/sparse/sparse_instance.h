#pragma once

#include <cstdint>
#include <vector>

#include "optim/qp/instance.h"
#include "optim/qp/program_batch.h"
#include "optim/sparse/compressed_rows.h"

namespace stillpoint::detail {

/// `Instance` with sparse matrices.
struct SparseInstance {
  CompressedRows q, a, g;
  Vector p, b, h;
};

/// The numbers of a checked program with sparse matrices.
struct SparseSample {
  SparseInstance program;
  std::vector<std::int64_t> row;    ///< of the batch's rows, for each of G's here
  std::vector<FixedUnknown> fixed;  ///< rows of A after those of the batch

  SparseSample(const optim::QuadraticProgram& parts, const ProgramBatch& batch);
};

}  // namespace stillpoint::detail
