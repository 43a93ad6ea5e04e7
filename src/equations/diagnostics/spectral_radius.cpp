#include "stillpoint/equations/diagnostics/spectral_radius.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/dtype.h"
#include "core/rows/rows.h"
#include "stillpoint/core/packing.h"
#include "stillpoint/equations/checked_map.h"

namespace stillpoint {
namespace {

// Eigenvalues of a small real matrix on the host, largest modulus first, one of each conjugate pair.
struct RitzPairs {
  explicit RitzPairs(const at::Tensor& matrix) {
    const auto [all_values, all_vectors] = at::linalg_eig(matrix);
    vectors = all_vectors;
    const at::Tensor host = all_values.contiguous();
    values = {host.data_ptr<c10::complex<double>>(), host.data_ptr<c10::complex<double>>() + host.numel()};
    for (std::int64_t i = 0; i < host.numel(); ++i) {
      if (values[i].imag() >= 0.0) order.push_back(i);
    }
    std::sort(order.begin(), order.end(),
              [&](std::int64_t i, std::int64_t j) { return std::abs(values[i]) > std::abs(values[j]); });
  }

  /// An orthonormal basis, real, of the span of the first eigenvectors: `count` columns, or one more so that
  /// a pair stays together.
  at::Tensor basis(std::int64_t count) const {
    std::vector<at::Tensor> columns;
    for (std::size_t i = 0; static_cast<std::int64_t>(columns.size()) < count; ++i) {
      const at::Tensor column = vectors.select(1, order[i]);
      columns.push_back(at::real(column));
      if (values[order[i]].imag() > 0.0) columns.push_back(at::imag(column));
    }
    return std::get<0>(at::linalg_qr(at::stack(columns, 1)));
  }

  std::vector<c10::complex<double>> values;
  at::Tensor vectors;  // one a column
  std::vector<std::int64_t> order;
};

// One sample's Krylov decomposition Jᵀ V = V H + v hᵀ: V has `count` vectors, v is the next, and hᵀ is the
// row of `h` below H.
struct Decomposition {
  Decomposition(std::int64_t most, std::int64_t width)
      : h(at::zeros({most + 1, most}, at::kDouble)), size(most), size_of_space(width) {}

  at::Tensor square() const { return h.narrow(0, 0, count).narrow(1, 0, count); }
  at::Tensor below() const { return h.select(0, count).narrow(0, 0, count); }
  double norm() const { return square().norm().item<double>(); }

  /// Takes the coefficients of a product with v: those of V and v, then the length of what is left.
  void append(const double* column, double rounding) {
    double* entries = h.data_ptr<double>() + count;
    double sum = 0.0;
    for (std::int64_t i = 0; i <= count; ++i) {
      entries[i * size] = column[i];
      sum += column[i] * column[i];
    }
    ++count;
    const double length = column[count];
    complete = count == size_of_space || length <= rounding * std::sqrt(sum);
    entries[count * size] = complete ? 0.0 : length;
  }

  void assess() {
    const RitzPairs pairs(square());
    const std::int64_t first = pairs.order[0];
    radius = std::abs(pairs.values[first]);
    const at::Tensor y = pairs.vectors.select(1, first);
    residual = complete ? 0.0 : (below() * y).sum().abs().item<double>();
  }

  /// Keeps the half of the decomposition that belongs to the largest eigenvalues. What comes back are its
  /// vectors in terms of the old ones, `[old count, count]`. If eigenvectors are too close to dependence to
  /// span an invariant subspace, one column with `count` zero: the vector to start again from.
  at::Tensor restart() {
    at::Tensor q = RitzPairs(square()).basis(std::max<std::int64_t>(1, count / 2));
    const at::Tensor hq = square().matmul(q), kept = q.t().matmul(hq), row = below().matmul(q);
    const bool invariant = (hq - q.matmul(kept)).norm().item<double>() <= 1e-10 * norm();
    h.zero_();
    count = invariant ? q.size(1) : 0;
    if (!invariant) return q.narrow(1, 0, 1);
    square().copy_(kept);
    below().copy_(row);
    return q;
  }

  at::Tensor h;  // [size + 1, size], on the host
  std::int64_t size;
  std::int64_t size_of_space;
  std::int64_t count = 0;
  bool complete = false;  // V spans an invariant subspace, so that nothing is left below H
  double radius = std::numeric_limits<double>::quiet_NaN();
  double residual = std::numeric_limits<double>::quiet_NaN();
};

// All samples' bases, `[B, subspace + 1, N]`; slots not in use are zero, so samples may differ in how many
// they use. Half precision is widened.
class ArnoldiBases {
 public:
  ArnoldiBases(const at::Tensor& like, std::int64_t subspace) : like_(like) {
    const bool is_double = like.scalar_type() == at::kDouble;
    const at::TensorOptions options = like.options().dtype(is_double ? at::kDouble : at::kFloat);
    vectors_ = at::zeros({like.size(0), subspace + 1, detail::row_width(like)}, options);
    auto generator = at::detail::createCPUGenerator(/*seed_val=*/20260101);
    const at::Tensor start = at::randn({vectors_.size(2)}, generator, at::kDouble);
    vectors_.select(1, 0).copy_(start / start.norm());
  }

  /// Vector `count` of each sample, shaped like the state.
  at::Tensor latest(const std::vector<Decomposition>& samples) const {
    return vectors_.gather(1, index_of(samples, 0)).to(like_.scalar_type()).view(like_.sizes());
  }

  /// Makes the products orthogonal, twice, and stores them behind the latest vectors. The coefficients of
  /// each sample, with the length at count + 1.
  std::vector<double> append(const at::Tensor& product, const std::vector<Decomposition>& samples) {
    at::Tensor w = product.to(vectors_.scalar_type()).reshape({vectors_.size(0), 1, vectors_.size(2)});
    at::Tensor sums = at::zeros({vectors_.size(0), 1, vectors_.size(1)}, w.options());
    for (int pass = 0; pass < 2; ++pass) {
      const at::Tensor dots = w.matmul(vectors_.transpose(1, 2));
      sums.add_(dots);
      w = w - dots.matmul(vectors_);
    }
    const at::Tensor length = w.square().sum(2, true).sqrt();
    const at::Tensor next = at::where(length > 0, w / length, 0);
    vectors_.scatter_(1, index_of(samples, 1), next);
    sums.scatter_(2, index_of(samples, 1).narrow(2, 0, 1), length);
    return detail::to_host(sums);
  }

  /// Replaces sample b's vectors by combinations of them, followed by the next one if `sample` goes on with
  /// it.
  void restart(std::int64_t b, Decomposition& sample) {
    const std::int64_t old_count = sample.count;
    const at::Tensor columns = sample.restart().to(vectors_.options());
    at::Tensor mine = vectors_[b];
    const at::Tensor kept = columns.t().matmul(mine.narrow(0, 0, old_count)), next = mine[old_count].clone();
    mine.zero_();
    mine.narrow(0, 0, kept.size(0)).copy_(kept);
    if (sample.count > 0) mine[sample.count].copy_(next);
  }

 private:
  at::Tensor index_of(const std::vector<Decomposition>& samples, std::int64_t offset) const {
    std::vector<std::int64_t> slots;
    slots.reserve(samples.size());
    for (const Decomposition& sample : samples) slots.push_back(std::min(sample.count + offset, sample.size));
    return at::tensor(slots, at::kLong)
        .to(vectors_.device())
        .view({-1, 1, 1})
        .expand({vectors_.size(0), 1, vectors_.size(2)});
  }

  at::Tensor like_;
  at::Tensor vectors_;
};

void check_options(const SpectralRadiusOptions& options) {
  TORCH_CHECK(options.subspace >= 3, "SpectralRadiusOptions.subspace: expected ≥ 3, got ", options.subspace);
  TORCH_CHECK(options.max_products >= 1, "SpectralRadiusOptions.max_products: expected ≥ 1, got ",
              options.max_products);
  TORCH_CHECK(options.tolerance > 0.0, "SpectralRadiusOptions.tolerance: expected > 0, got ",
              options.tolerance);
}

// One product for all samples. Those that are done are left as they are.
void advance_all(const Tape& tape, ArnoldiBases& bases, std::vector<Decomposition>& samples, Stats& stats,
                 const SpectralRadiusOptions& options, double rounding) {
  const std::vector<double> columns = bases.append(tape.vjp(bases.latest(samples)), samples);
  const std::int64_t stride = samples.front().size + 1;
  ++stats.jacobian_products;
  for (std::size_t b = 0; b < samples.size(); ++b) {
    Decomposition& sample = samples[b];
    if (stats.status[b] != Status::MaxIterations) continue;
    ++stats.iterations[b];
    const double* column = &columns[b * stride];
    if (!std::all_of(column, column + stride, [](double v) { return std::isfinite(v); })) {
      stats.status[b] = Status::NonFinite;
      sample.radius = sample.residual = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    sample.append(column, rounding);
    const bool full = sample.complete || sample.count == sample.size;
    if (!full && stats.jacobian_products < options.max_products) continue;
    sample.assess();
    if (sample.residual <= options.tolerance * sample.radius + rounding * sample.norm()) {
      stats.status[b] = Status::Converged;
    } else if (full) {
      bases.restart(static_cast<std::int64_t>(b), sample);
    }
  }
}

}  // namespace

std::vector<double> spectral_radius(const Map& f, const at::Tensor& z, const SpectralRadiusOptions& options) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  detail::check_state("z", z);
  check_options(options);
  const at::NoGradGuard no_grad;
  const CheckedMap checked(f);
  const Tape tape = checked.record(z);
  const std::int64_t batch = z.size(0);
  const std::int64_t width = detail::row_width(z);
  if (width == 0) return std::vector<double>(batch, 0.0);

  const std::int64_t size = std::min(options.subspace, width);
  const double rounding = std::min(1e-2, 10.0 * detail::machine_epsilon(z.scalar_type()));
  std::vector<Decomposition> samples;
  for (std::int64_t b = 0; b < batch; ++b) samples.emplace_back(size, width);
  ArnoldiBases bases(z, size);
  Stats stats;
  stats.method = "Arnoldi";
  stats.status.assign(batch, Status::MaxIterations);
  stats.iterations.assign(batch, 0);
  while (stats.count(Status::MaxIterations) > 0 && stats.jacobian_products < options.max_products) {
    advance_all(tape, bases, samples, stats, options, rounding);
  }
  std::vector<double> radii;
  for (const Decomposition& sample : samples) {
    radii.push_back(sample.radius);
    stats.residual.push_back(sample.residual);
  }
  report_failure(stats, options.on_failure);
  return radii;
}

std::vector<double> spectral_radius(const TupleMap& f, const std::vector<at::Tensor>& z,
                                    const SpectralRadiusOptions& options) {
  TORCH_CHECK(f != nullptr, "f: expected a map, got an empty function");
  const Packing packing(z);
  return spectral_radius(packing.pack(f), packing.pack(z), options);
}

}  // namespace stillpoint
