#include "stillpoint/equations/solvers/chord.h"

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "core/rows/rows.h"
#include "equations/solvers/inverse_jacobian.h"
#include "equations/solvers/standing.h"
#include "linear/kept_factor.h"

namespace stillpoint {
namespace {

// What the next step of a sample goes by.
enum class Next : std::uint8_t {
  Kept,     // the Jacobian of an iterate before
  Renewed,  // the Jacobian where the sample stands
  Halved,   // the same, and half the step that was refused
};

// Of each sample whether its latest step is taken, and what comes next.
class Course {
 public:
  /// The samples begin with the Jacobian where they stand.
  Course(std::int64_t batch, double refresh_above)
      : refresh_above_(refresh_above),
        next_(batch, Next::Renewed),
        lengths_(batch, 1.0),
        accepted_(batch),
        renewed_(batch) {}

  void judge(const RowNorms& trial, const RowNorms& before, const Mask& running) {
    for (std::size_t b = 0; b < next_.size(); ++b) {
      const double ratio = trial.residual[b] / before.residual[b];
      next_[b] = running[b] ? after(next_[b], ratio) : Next::Kept;
      lengths_[b] = next_[b] == Next::Halved ? 0.5 * lengths_[b] : 1.0;
      accepted_[b] = running[b] && ratio < 1.0;
      renewed_[b] = next_[b] == Next::Renewed;
    }
  }
  const Mask& accepted() const { return accepted_; }
  /// The samples that need the Jacobian where they stand.
  const Mask& renewed() const { return renewed_; }
  /// The part of the step that each sample takes next.
  const std::vector<double>& lengths() const { return lengths_; }

 private:
  // A refused step is laid on the Jacobian first, if that is an old one, then on its length. NaN is refused.
  Next after(Next last, double ratio) const {
    if (ratio <= refresh_above_) return Next::Kept;
    return ratio < 1.0 || last == Next::Kept ? Next::Renewed : Next::Halved;
  }

  double refresh_above_;
  std::vector<Next> next_;
  std::vector<double> lengths_;
  Mask accepted_, renewed_;
};

}  // namespace

void Chord::solve(const CheckedMap& f, const at::Tensor& z0, Monitor& monitor, Map* inverse) const {
  TORCH_CHECK(refresh_above > 0.0 && refresh_above < 1.0,
              "Chord.refresh_above: expected a number in (0, 1), got ", refresh_above);
  const std::int64_t batch = z0.size(0);
  const at::IntArrayRef shape = z0.sizes();
  const at::Tensor flat = z0.view({batch, detail::row_width(z0)});
  RowNorms norms;
  const Linearization start(f, z0);
  at::Tensor r = start.residual().reshape(flat.sizes());
  monitor.norms(flat, r, norms);
  if (!monitor.update(z0, norms) || flat.size(1) == 0) {
    if (inverse != nullptr) *inverse = detail::transposed_inverse_at(start);
    return;
  }
  detail::Standing here(flat, norms);
  detail::KeptFactor jacobian(start.dense(), start.residual());
  Course course(batch, refresh_above);
  while (true) {
    const at::Tensor newton = jacobian.solve(r);
    const at::Tensor step = newton * detail::to_column(course.lengths(), newton);
    const at::Tensor trial = detail::select_rows(monitor.running(), here.z() + step, here.z());
    const at::Tensor trial_r = f.residual(trial.view(shape)).view(flat.sizes());
    monitor.norms(trial, trial_r, norms);
    course.judge(norms, here.norms(), monitor.running());
    here.move(course.accepted(), trial, norms);
    r = detail::select_rows(course.accepted(), trial_r, r);
    if (!monitor.update(here.z().view(shape), here.norms())) break;
    if (course.renewed().any()) {
      const Linearization there(f, here.z().view(shape));
      jacobian.renew(course.renewed(), there.dense(), there.residual());
    }
  }
  if (inverse != nullptr) *inverse = detail::transposed_inverse(std::move(jacobian));
}

}  // namespace stillpoint
