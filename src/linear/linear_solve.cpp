#include "stillpoint/linear/linear_solve.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <utility>

#include "core/check.h"

namespace stillpoint {

Solution<at::Tensor> linear_solve(const LinearOperator& a, const at::Tensor& b,
                                  const LinearSolveOptions& options) {
  detail::check_state("b", b);
  TORCH_CHECK(a.product != nullptr, "a.product: expected a function, got an empty one");
  LinearOperator checked = a;
  checked.product = [product = a.product](const at::Tensor& v) {
    return detail::evaluate(product, "a.product", v, "b");
  };

  Solution<at::Tensor> solution;
  {
    const at::NoGradGuard no_grad;
    solution = options.solver.solve(checked, b.contiguous(), {}, options.tolerance.resolved(b.scalar_type()));
  }
  report_failure(solution.stats, options.on_failure);

  Condition condition([checked, b](const at::Tensor& x) {
    return checked.identity_minus ? checked.product(x) + b : b - checked.product(x);
  });
  condition.form = a.identity_minus ? Form::FixedPoint : Form::Root;
  condition.structure = a.structure;
  solution.stats.backward = std::make_shared<Stats>();
  solution.value = implicit(
      condition, solution.value,
      {.solver = options.transposed_solver, .tolerance = options.tolerance, .on_failure = options.on_failure},
      solution.stats.backward);
  return solution;
}

Solution<at::Tensor> linear_solve(const at::Tensor& matrix, const at::Tensor& b,
                                  const LinearSolveOptions& options) {
  detail::check_state("b", b);
  TORCH_CHECK(matrix.defined(), "matrix: expected [B, N, N] or [N, N], got an undefined tensor");
  TORCH_CHECK(b.dim() == 2, "b: expected [B, N] beside a matrix, got shape ", b.sizes());
  detail::check_like("matrix", matrix,
                     at::empty({}, b.options())
                         .expand(matrix.dim() == 2 ? std::vector<int64_t>{b.size(1), b.size(1)}
                                                   : std::vector<int64_t>{b.size(0), b.size(1), b.size(1)}));
  const Map product = [matrix](const at::Tensor& v) {
    return at::matmul(matrix, v.unsqueeze(-1)).squeeze(-1);
  };
  return linear_solve(LinearOperator{.product = product}, b, options);
}

}  // namespace stillpoint
