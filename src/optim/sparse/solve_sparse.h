#pragma once

#include "optim/qp/kkt_adjoint.h"
#include "optim/qp/program_batch.h"
#include "optim/qp/warm_start.h"
#include "stillpoint/optim/quadratic_program.h"

namespace stillpoint::detail {

/// Whether a matrix of the program is sparse.
bool is_sparse(const optim::QuadraticProgram& program);

/// Throws unless all matrices of the program are sparse CSR tensors as the sparse solver takes them, and the
/// options are among those that it knows.
void check_sparse(const optim::QuadraticProgram& program, const QuadraticProgramOptions& options);

/// Solves a sparse program: from the active set of `start` if there is one, by the interior point method and
/// a polish otherwise.
SolvedProgram solve_sparse(const optim::QuadraticProgram& program, const ProgramBatch& batch,
                           const InstanceOptions& options, const WarmStart* start);

}  // namespace stillpoint::detail
