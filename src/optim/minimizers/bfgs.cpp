#include "stillpoint/optim/minimizers/bfgs.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "optim/minimizers/descent.h"

namespace stillpoint::optim {
namespace {

// What is known of the inverse Hessian of each sample.
class InverseHessian {
 public:
  // Starts the marked samples anew, with `length` times the identity.
  void renew(const Mask& marked, const at::Tensor& length, const at::Tensor& like) {
    const std::int64_t batch = like.size(0);
    const at::Tensor unit = at::eye(detail::row_width(like), like.options()).unsqueeze(0);
    const at::Tensor fresh = length.reshape({batch, 1, 1}) * unit;
    matrix_ = matrix_.defined() ? detail::select_rows(marked, fresh, matrix_) : fresh;
    const at::Tensor one = at::ones({batch, 1, 1}, like.options());
    fresh_ = fresh_.defined() ? detail::select_rows(marked, one, fresh_) : one;
  }

  at::Tensor times(const at::Tensor& x) const {
    return at::matmul(matrix_, x.reshape({x.size(0), -1, 1})).reshape(x.sizes());
  }

  // Takes in a step. A sample that saw no positive curvature learns nothing.
  void learn(const at::Tensor& step, const at::Tensor& change) {
    const at::Tensor s = step.reshape({step.size(0), -1, 1});
    const at::Tensor y = change.reshape({step.size(0), -1, 1});
    const at::Tensor along = (s * y).sum(1, true);
    const at::Tensor size = y.square().sum(1, true);
    const double least = detail::machine_epsilon(step.scalar_type());
    const at::Tensor curves = along > least * (s.square().sum(1, true) * size).sqrt();
    const at::Tensor unit = at::eye(s.size(1), s.options()).unsqueeze(0);
    const at::Tensor base = at::where(fresh_ > 0, along / size * unit, matrix_);
    const at::Tensor left = unit - at::matmul(s, y.transpose(1, 2)) / along;
    const at::Tensor next =
        at::matmul(at::matmul(left, base), left.transpose(1, 2)) + at::matmul(s, s.transpose(1, 2)) / along;
    matrix_ = at::where(curves, next, matrix_);
    fresh_ = at::where(curves, at::zeros_like(fresh_), fresh_);
  }

 private:
  at::Tensor matrix_;
  at::Tensor fresh_;  // 1 where nothing has been learnt yet
};

}  // namespace

void Bfgs::minimize(detail::Descent& descent) const {
  InverseHessian inverse;
  while (descent.goes_on()) {
    const detail::DescentPoint before = descent.point();
    if (descent.renewed().any()) inverse.renew(descent.renewed(), descent.cauchy_length(), before.x);
    descent.advance(-inverse.times(descent.free_gradient()) * descent.freedom());
    inverse.learn(descent.point().x - before.x, descent.point().gradient - before.gradient);
  }
}

}  // namespace stillpoint::optim
