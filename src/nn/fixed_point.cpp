#include "stillpoint/nn/fixed_point.h"

#include <ATen/Functions.h>

#include <mutex>
#include <ostream>
#include <utility>

#include "core/report_lock.h"

namespace stillpoint::nn {

FixedPointImpl::FixedPointImpl(torch::nn::AnyModule cell, FixedPointOptions solve_options)
    : options(std::move(solve_options)), cell_(std::move(cell)) {
  TORCH_CHECK(!cell_.is_empty(), "cell: expected a module, got an empty AnyModule");
  register_module("cell", cell_.ptr());
}

// Called on a copy that still shares the cell of its original.
void FixedPointImpl::reset() {
  cell_ = cell_.clone();
  register_module("cell", cell_.ptr());
}

at::Tensor FixedPointImpl::forward(const at::Tensor& x, const at::Tensor& z0) {
  Solution<at::Tensor> solution = fixed_point(
      // By value: the backward pass may call it when this module is gone.
      [cell = cell_, x](const at::Tensor& z) mutable { return cell.forward(z, x); },
      z0.defined() ? z0 : at::zeros_like(x), options);
  const std::lock_guard<std::mutex> lock(stillpoint::detail::report_lock);
  stats_ = std::move(solution.stats);
  return solution.value;
}

void FixedPointImpl::pretty_print(std::ostream& stream) const {
  stream << "stillpoint::nn::FixedPoint(solver=" << options.solver.name() << ")";
}

}  // namespace stillpoint::nn
