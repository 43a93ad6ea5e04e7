#include "stillpoint/linear/solvers/gmres.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/dtype.h"
#include "core/rows/rows.h"
#include "linear/half_precision.h"
#include "linear/vectors.h"
#include "stillpoint/core/monitor.h"

namespace stillpoint {
namespace {

constexpr std::int64_t kBlock = 8;  // vectors of a basis that are allocated together

// Reorthogonalized where less than this part of a vector is left.
constexpr double kCancellation = 0.5;

// The Krylov bases of all samples: vector j of every sample is contiguous, `[B, N]`. Memory grows with the
// basis, a block at a time.
class KrylovBases {
 public:
  /// Of at most `size` + 1 vectors.
  KrylovBases(const at::Tensor& like, std::int64_t size)
      : size_(size + 1),
        batch_(like.size(0)),
        width_(detail::row_width(like)),
        shape_(like.sizes().vec()),
        options_(like.options()) {}

  at::Tensor vector(std::int64_t j) {
    if (j / kBlock == static_cast<std::int64_t>(blocks_.size())) {
      blocks_.push_back(at::empty({block_size(blocks_.size(), size_), batch_, width_}, options_));
    }
    return blocks_[j / kBlock].select(0, j % kBlock).view(shape_);
  }

  /// Sets vector 0 of each sample to r / length, or to zero where the length is zero.
  void start(const at::Tensor& r, const std::vector<double>& length) {
    std::vector<double> inverse(batch_);
    for (std::int64_t b = 0; b < batch_; ++b) inverse[b] = length[b] > 0.0 ? 1.0 / length[b] : 0.0;
    at::Tensor first = vector(0);
    first.copy_(r * detail::to_column(inverse, r));
    // 0 · NaN is NaN: rows without a length are set, not scaled.
    Mask empty(batch_);
    for (std::int64_t b = 0; b < batch_; ++b) empty[b] = inverse[b] == 0.0;
    detail::copy_rows(empty, at::zeros_like(first), first);
  }

  /// Makes w orthogonal to vectors 0 … k and, normalized, vector k + 1. The coefficients of sample b, with
  /// the norm last, go to h[b · stride …]. Samples that are not running may get anything finite.
  void append(const at::Tensor& w, std::int64_t k, const Mask& running, double* h, std::int64_t stride) {
    append_as_it_is(w, k, running, h, stride);
    const std::vector<double> unit = units_where_doubtful(w, k, running, h, stride);
    if (unit.empty()) return;
    append_as_it_is(w / detail::to_column(unit, w), k, running, h, stride);
    for (std::int64_t b = 0; b < batch_; ++b) {
      for (std::int64_t j = 0; j < k + 2; ++j) h[b * stride + j] *= unit[b];
    }
  }

  /// Σ_j y[b · stride + j] · vector j
  at::Tensor combine(const std::vector<double>& y, std::int64_t count, std::int64_t stride) {
    at::Tensor result = at::zeros(shape_, options_);
    for (std::int64_t j = 0; j < count; ++j) {
      std::vector<double> coefficient(batch_);
      for (std::int64_t b = 0; b < batch_; ++b) coefficient[b] = y[b * stride + j];
      result.addcmul_(detail::to_column(coefficient, result), vector(j));
    }
    return result;
  }

 private:
  /// Vectors in block `i` of a basis of `size` vectors.
  static std::int64_t block_size(std::size_t i, std::int64_t size) {
    return std::min(kBlock, size - static_cast<std::int64_t>(i) * kBlock);
  }

  void append_as_it_is(const at::Tensor& w, std::int64_t k, const Mask& running, double* h,
                       std::int64_t stride) {
    at::Tensor next = vector(k + 1).copy_(w).view({batch_, width_});
    if (detail::has_row_kernels(next)) {
      AT_DISPATCH_FLOATING_TYPES(next.scalar_type(), "gmres",
                                 [&] { append_rows<scalar_t>(next, k, running, h, stride); });
    } else {
      append_batch(next, k, h, stride);
    }
  }

  /// The sizes of those products whose squares have overflowed or underflowed in the column, 1 for others;
  /// none where there are none.
  std::vector<double> units_where_doubtful(const at::Tensor& w, std::int64_t k, const Mask& running,
                                           const double* h, std::int64_t stride) const {
    Mask doubtful(batch_);
    for (std::int64_t b = 0; b < batch_; ++b) {
      const double* column = h + b * stride;
      const double square = std::inner_product(column, column + k + 2, column, 0.0);
      const bool safe = w.scalar_type() == at::kDouble ? detail::is_safe_square<double>(square, width_)
                                                       : detail::is_safe_square<float>(square, width_);
      doubtful[b] = running[b] && !safe;
    }
    if (!doubtful.any()) return {};
    std::vector<double> sizes = detail::row_norms(w, Norm::Maximum);
    for (std::int64_t b = 0; b < batch_; ++b) {
      if (!doubtful[b]) sizes[b] = 1.0;
    }
    return detail::power_units(std::move(sizes));
  }

  template <class T>
  void append_rows(const at::Tensor& next, std::int64_t k, const Mask& running, double* h,
                   std::int64_t stride) {
    const auto& kernels = detail::row_kernels<T>();
    for (std::int64_t b = 0; b < batch_; ++b) {
      T* w = next.data_ptr<T>() + b * width_;
      double* column = h + b * stride;
      if (!running[b]) {
        std::fill_n(w, width_, T(0));
        continue;
      }
      std::fill_n(column, k + 1, 0.0);
      const double square = orthogonalize(w, b, k + 1, column);
      const double before = std::inner_product(column, column + k + 1, column, square);
      column[k + 1] = std::sqrt(
          square < kCancellation * kCancellation * before ? orthogonalize(w, b, k + 1, column) : square);
      const double inverse = column[k + 1] > 0.0 ? 1.0 / column[k + 1] : 1.0;
      kernels.combine(w, width_, 1, &inverse, width_, nullptr, w);
    }
  }

  /// Takes from w its part along `size` vectors of sample b, whose coefficients are added to `column`. The
  /// square of what is left.
  template <class T>
  double orthogonalize(T* w, std::int64_t b, std::int64_t size, double* column) const {
    const auto& kernels = detail::row_kernels<T>();
    const std::int64_t next = batch_ * width_;
    std::array<double, kBlock> dots{};
    for (std::size_t i = 0; i < blocks_.size() && block_size(i, size) > 0; ++i) {
      const T* basis = blocks_[i].data_ptr<T>() + b * width_;
      const std::int64_t count = block_size(i, size);
      kernels.dots(basis, next, count, w, width_, dots.data());
      for (std::int64_t j = 0; j < count; ++j) {
        *column++ += dots[j];
        dots[j] = -dots[j];
      }
      kernels.combine(basis, next, count, dots.data(), width_, w, w);
    }
    double square = 0.0;
    kernels.dots(w, width_, 1, w, width_, &square);
    return square;
  }

  void append_batch(at::Tensor& w, std::int64_t k, double* h, std::int64_t stride) {
    std::vector<at::Tensor> columns;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t i = 0; i < blocks_.size() && block_size(i, k + 1) > 0; ++i) {
        const at::Tensor basis = blocks_[i].narrow(0, 0, block_size(i, k + 1)).transpose(0, 1);
        const at::Tensor dots = at::bmm(basis, w.unsqueeze(2));  // [B, vectors, 1]
        w.sub_(at::bmm(dots.transpose(1, 2), basis).squeeze(1));
        if (pass == 0) {
          columns.push_back(dots.squeeze(2));
        } else {
          columns[i].add_(dots.squeeze(2));
        }
      }
    }
    const at::Tensor length = w.square().sum(1, true).sqrt();
    w.mul_(detail::quotient_or_zero(at::ones_like(length), length));
    columns.push_back(length);
    const std::vector<double> column = detail::to_host(at::cat(columns, 1));
    for (std::int64_t b = 0; b < batch_; ++b) {
      std::copy_n(column.begin() + b * (k + 2), k + 2, h + b * stride);
    }
  }

  std::int64_t size_;
  std::int64_t batch_;
  std::int64_t width_;
  std::vector<int64_t> shape_;
  at::TensorOptions options_;
  std::vector<at::Tensor> blocks_;
};

// The least-squares problem of one sample: its Hessenberg matrix, made triangular by Givens rotations as it
// grows.
class Hessenberg {
 public:
  Hessenberg(std::int64_t size, double length) : size_(size), columns_(size * size), rhs_(size + 1) {
    rhs_[0] = length;
  }

  /// Takes in column k (k + 2 numbers); returns the residual's norm, which is NaN if the column is not
  /// finite.
  double append(const double* column, std::int64_t k) {
    std::vector<double> h(column, column + k + 2);
    for (std::int64_t j = 0; j < k; ++j) {
      const double t = cosines_[j] * h[j] + sines_[j] * h[j + 1];
      h[j + 1] = -sines_[j] * h[j] + cosines_[j] * h[j + 1];
      h[j] = t;
    }
    const double length = std::hypot(h[k], h[k + 1]);
    const bool regular = length > 0.0;
    cosines_.push_back(regular ? h[k] / length : 1.0);
    sines_.push_back(regular ? h[k + 1] / length : 0.0);
    h[k] = length;
    std::copy_n(h.begin(), k + 1, columns_.begin() + k * size_);
    rhs_[k + 1] = -sines_[k] * rhs_[k];
    rhs_[k] *= cosines_[k];
    count_ = k + 1;
    return std::abs(rhs_[k + 1]);
  }

  /// The coefficients of the basis vectors that minimize the residual, written to y.
  void solve(double* y) const {
    for (std::int64_t i = count_ - 1; i >= 0; --i) {
      double sum = rhs_[i];
      for (std::int64_t j = i + 1; j < count_; ++j) sum -= columns_[j * size_ + i] * y[j];
      const double pivot = columns_[i * size_ + i];
      y[i] = pivot != 0.0 ? sum / pivot : 0.0;
    }
    if (!std::all_of(y, y + count_, [](double v) { return std::isfinite(v); })) std::fill_n(y, count_, 0.0);
  }

  std::int64_t count() const { return count_; }

 private:
  std::int64_t size_;
  std::int64_t count_ = 0;
  std::vector<double> columns_;  // column k at k · size
  std::vector<double> rhs_;
  std::vector<double> cosines_;
  std::vector<double> sines_;
};

// One cycle of the running samples from x with the residual r: at most `limit` products. Where it leads to.
at::Tensor cycle(const LinearOperator& a, KrylovBases& bases, const at::Tensor& x, const at::Tensor& r,
                 const std::vector<double>& target, Mask running, std::int64_t limit, Stats& stats) {
  const std::int64_t batch = x.size(0);
  const std::int64_t stride = limit + 1;
  // The residual is brought near to 1, so that no coefficient is too large for the dtype.
  const std::vector<double> unit = detail::power_units(detail::row_norms(r, Norm::RootMeanSquare));
  const at::Tensor scaled = r / detail::to_column(unit, r);
  std::vector<double> length = detail::row_norms(scaled, Norm::Euclidean);
  std::vector<Hessenberg> problems;
  problems.reserve(batch);
  for (std::int64_t b = 0; b < batch; ++b) {
    if (!running[b] || !std::isfinite(length[b])) length[b] = 0.0;
    problems.emplace_back(limit, length[b]);
  }
  bases.start(scaled, length);
  std::vector<double> h(batch * stride);
  std::int64_t products = 0;
  while (products < limit && running.any()) {
    const std::int64_t k = products++;
    bases.append(a.mv(bases.vector(k)), k, running, h.data(), stride);
    for (std::int64_t b = 0; b < batch; ++b) {
      if (!running[b]) continue;
      const double residual = unit[b] * problems[b].append(&h[b * stride], k);
      ++stats.iterations[b];
      const bool invariant = h[b * stride + k + 1] == 0.0;  // the basis holds the solution, or never will
      running[b] = residual > target[b] && !invariant;      // NaN ends it, too
    }
  }
  stats.evaluations += products;
  std::vector<double> y(batch * stride, 0.0);
  for (std::int64_t b = 0; b < batch; ++b) problems[b].solve(&y[b * stride]);
  return at::addcmul(x, detail::to_column(unit, x), bases.combine(y, products, stride));
}

// How large errors of rounding in b are, where its samples have these norms.
std::vector<double> rounding_of(std::vector<double> scale, at::ScalarType dtype) {
  constexpr double ulps = 16.0;
  for (double& number : scale) number *= ulps * detail::machine_epsilon(dtype);
  return scale;
}

// Which samples are stuck: those that took less than a twentieth off their residual in a tenth of the
// iterations allowed, and in a cycle; or less than half of it where it is as small as the rounding of b,
// since what it falls there is luck.
class Patience {
 public:
  Patience(std::int64_t max_iterations, std::int64_t cycle, std::vector<double> residual,
           std::vector<double> rounding)
      : window_(std::max({max_iterations / 10, cycle, kLeastWindow})),
        rounding_(std::move(rounding)),
        best_(std::move(residual)),
        mark_(best_),
        marked_at_(best_.size()),
        stuck_(best_.size()) {}

  /// After each cycle, with all the iterations of each sample so far.
  void judge(const std::vector<double>& residual, const std::vector<std::int64_t>& iterations) {
    for (std::size_t b = 0; b < stuck_.size(); ++b) {
      best_[b] = std::min(best_[b], residual[b]);
      if (iterations[b] - marked_at_[b] < window_) continue;
      const double factor = mark_[b] <= rounding_[b] ? 0.5 : 0.95;
      if (best_[b] > factor * mark_[b]) stuck_[b] = 1;
      mark_[b] = best_[b];
      marked_at_[b] = iterations[b];
    }
  }

  Mask others(Mask running) const {
    for (std::size_t b = 0; b < running.size(); ++b) running[b] = running[b] && !stuck_[b];
    return running;
  }

  void write(Stats& stats) const {
    for (std::size_t b = 0; b < stuck_.size(); ++b) {
      if (stuck_[b] && stats.status[b] == Status::MaxIterations) stats.status[b] = Status::Stalled;
    }
  }

 private:
  static constexpr std::int64_t kLeastWindow = 30;
  std::int64_t window_;
  std::vector<double> rounding_;  // the size of rounding errors in b
  std::vector<double> best_;      // residual so far
  std::vector<double> mark_;      // the best when the window began
  std::vector<std::int64_t> marked_at_;
  Mask stuck_;
};

}  // namespace

Solution<at::Tensor> Gmres::solve(const LinearOperator& a, const at::Tensor& b, const at::Tensor& x0,
                                  const Tolerance& tolerance) const {
  TORCH_CHECK(restart >= 1, "Gmres.restart: expected ≥ 1, got ", restart);
  TORCH_CHECK(max_iterations >= 0, "Gmres.max_iterations: expected ≥ 0, got ", max_iterations);
  if (detail::is_half_precision(b.scalar_type())) return detail::solve_widened(*this, a, b, x0, tolerance);
  const std::int64_t batch = b.size(0);
  Solution<at::Tensor> solution;
  Stats& stats = solution.stats;
  stats.method = "Gmres";
  stats.iterations.assign(batch, 0);
  Monitor monitor(tolerance, std::numeric_limits<std::int64_t>::max(), batch);
  RowNorms norms;
  norms.scale = detail::right_side_norms(b, tolerance.norm);

  // The recurrence knows the Euclidean norm, which bounds the others.
  const double unit = detail::scale_norm(1.0, tolerance.norm, detail::row_width(b));
  std::vector<double> target(batch);
  for (std::int64_t i = 0; i < batch; ++i) {
    target[i] = (*tolerance.absolute + *tolerance.relative * norms.scale[i]) / unit;
  }

  auto [x, r] = detail::start_from(a, b, x0, stats);
  norms.residual = detail::row_norms(r, tolerance.norm);
  const std::int64_t size = std::max<std::int64_t>(1, std::min(restart, detail::row_width(b)));
  KrylovBases bases(b, size);
  Patience patience(max_iterations, size, norms.residual, rounding_of(norms.scale, b.scalar_type()));
  std::int64_t done = 0;
  while (monitor.update(x, norms) && done < max_iterations) {
    const Mask going_on = patience.others(monitor.running());
    if (!going_on.any()) break;
    const std::int64_t before = stats.evaluations;
    x = cycle(a, bases, x, r, target, going_on, std::min(size, max_iterations - done), stats);
    done += stats.evaluations - before;
    r = detail::residual(a, b, x);
    ++stats.evaluations;
    norms.residual = detail::row_norms(r, tolerance.norm);
    if (done < max_iterations) patience.judge(norms.residual, stats.iterations);
  }
  solution.value = monitor.best();
  std::vector<std::int64_t> products_of_each = std::move(stats.iterations);
  monitor.write(stats);
  stats.iterations = std::move(products_of_each);
  patience.write(stats);
  return solution;
}

}  // namespace stillpoint
