#include "core/rows/rows.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "stillpoint/core/row_norms.h"

namespace stillpoint {
namespace detail {
namespace {

// Views `t` as `[B, width]`, also when it is empty.
at::Tensor as_rows(const at::Tensor& t) { return t.reshape({t.size(0), row_width(t)}); }

// The sizes of norms that rest on sums of squares which neither overflowed T nor underflowed in it.
struct SafeRange {
  double least;
  double most;

  bool holds(double norm) const { return (norm >= least) & (norm <= most); }
  bool holds(const std::vector<double>& norms) const {
    bool all = true;  // without a branch a norm, so that looking costs little beside taking the norms
    for (const double norm : norms) all &= holds(norm);
    return all;
  }
};

template <class T>
SafeRange safe_range(double unit, std::int64_t width) {
  return {unit * std::sqrt(static_cast<double>(width) * kLeastSquare<T>),
          unit * std::sqrt(std::numeric_limits<double>::max())};
}

// Whether x − y is zero to the bit, as it is for finished samples.
template <class T>
bool is_zero(const T* x, const T* y, std::int64_t width) {
  if (y != nullptr) return std::memcmp(x, y, width * sizeof(T)) == 0;
  return *x == T(0) && std::memcmp(x, x + 1, (width - 1) * sizeof(T)) == 0;
}

// Takes those among the norms of x − y again whose squares were not safe. One that is NaN rests on a NaN.
template <class T>
void mend_norms(const T* x, const T* y, std::int64_t width, double unit, std::vector<double>& norms) {
  const SafeRange safe = safe_range<T>(unit, width);
  if (safe.holds(norms)) return;
  for (std::size_t b = 0; b < norms.size(); ++b) {
    if (std::isnan(norms[b]) || safe.holds(norms[b])) continue;
    const T* here = x + static_cast<std::int64_t>(b) * width;
    const T* before = y == nullptr ? nullptr : y + static_cast<std::int64_t>(b) * width;
    if (norms[b] == 0.0 && is_zero(here, before, width)) continue;
    norms[b] = unit * scaled_norm(here, before, width);
  }
}

// `t` as `[B, width]` in a dtype that has norms.
at::Tensor wide_rows(const at::Tensor& t) { return widened(as_rows(t)); }

// Of wide rows, on their device.
at::Tensor plain_norms(const at::Tensor& rows, Norm norm) {
  if (rows.size(1) == 0) return at::zeros({rows.size(0)}, rows.options());
  if (norm == Norm::Maximum) return rows.abs().amax(1);
  const at::Tensor sums = rows.square().sum(1).sqrt();
  return norm == Norm::Euclidean ? sums : sums.div(std::sqrt(static_cast<double>(rows.size(1))));
}

// Takes the doubtful ones among the plain norms of wide rows again.
void mend_plain_norms(const at::Tensor& rows, Norm norm, std::vector<double>& norms) {
  if (norm == Norm::Maximum) return;
  const std::int64_t width = rows.size(1);
  const double unit = scale_norm(1.0, norm, width);
  const SafeRange safe =
      rows.scalar_type() == at::kDouble ? safe_range<double>(unit, width) : safe_range<float>(unit, width);
  if (safe.holds(norms)) return;
  const at::Tensor largest = rows.abs().amax(1, /*keepdim=*/true);
  const at::Tensor units = at::where((largest > 0) & at::isfinite(largest), largest, 1);
  const std::vector<double> again = to_host(at::stack({units.squeeze(1), plain_norms(rows / units, norm)}));
  for (std::size_t b = 0; b < norms.size(); ++b) {
    if (!std::isnan(norms[b]) && !safe.holds(norms[b])) norms[b] = again[b] * again[norms.size() + b];
  }
}

// What at::where does can be done by copying rows.
bool can_copy_rows(const at::Tensor& chosen, const at::Tensor& other) {
  return has_row_kernels(chosen) && other.is_cpu() && chosen.scalar_type() == other.scalar_type() &&
         chosen.sizes() == other.sizes() && chosen.is_contiguous() && other.is_contiguous() &&
         !(at::GradMode::is_enabled() && (chosen.requires_grad() || other.requires_grad()));
}

void aten_residual_norms(const at::Tensor& z, const at::Tensor& fz, Norm norm, RowNorms& norms) {
  const at::Tensor rows = wide_rows(z);
  const at::Tensor difference = wide_rows(fz) - rows;
  const std::vector<double> both =
      to_host(at::stack({plain_norms(difference, norm), plain_norms(rows, norm)}));
  const auto middle = both.begin() + z.size(0);
  norms.residual.assign(both.begin(), middle);
  norms.scale.assign(middle, both.end());
  mend_plain_norms(difference, norm, norms.residual);
  mend_plain_norms(rows, norm, norms.scale);
}

}  // namespace

at::Tensor Recycler::take(const at::Tensor& like) {
  for (const at::Tensor& tensor : taken_) {
    if (tensor.use_count() == 1 && tensor.storage().use_count() == 1) return tensor;
  }
  taken_.push_back(at::empty_like(like));
  return taken_.back();
}

double scale_norm(double euclidean, Norm norm, std::int64_t width) {
  return norm == Norm::RootMeanSquare && width > 0 ? euclidean / std::sqrt(static_cast<double>(width))
                                                   : euclidean;
}

at::Tensor as_column(const at::Tensor& per_sample, const at::Tensor& like) {
  std::vector<int64_t> shape(like.dim(), 1);
  shape[0] = like.size(0);
  return per_sample.view(shape);
}

at::Tensor to_column(const std::vector<double>& per_sample, const at::Tensor& like) {
  return as_column(at::tensor(per_sample, at::kDouble), like).to(like.options());
}

at::Tensor to_mask(const Mask& per_sample, const at::Tensor& like) {
  const at::ArrayRef<std::uint8_t> marks(per_sample.data(), per_sample.size());
  return as_column(at::tensor(marks, at::kByte).to(at::kBool), like).to(like.device());
}

std::vector<double> to_host(const at::Tensor& t) {
  const at::Tensor host = t.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* p = host.data_ptr<double>();
  return {p, p + host.numel()};
}

template <class T>
double scaled_norm(const T* x, const T* y, std::int64_t width) {
  const auto at = [&](std::int64_t i) {
    return static_cast<double>(x[i]) - (y == nullptr ? 0.0 : static_cast<double>(y[i]));
  };
  double largest = 0.0;
  for (std::int64_t i = 0; i < width; ++i) largest = std::max(largest, std::abs(at(i)));
  // Both powers are normal numbers, and NaN and infinity go through them into the sum.
  const int exponent = std::clamp(std::ilogb(largest), -1000, 1000);
  const double inverse = std::ldexp(1.0, -exponent);
  double sum = 0.0;
  for (std::int64_t i = 0; i < width; ++i) {
    const double scaled = at(i) * inverse;
    sum += scaled * scaled;
  }
  return std::ldexp(std::sqrt(sum), exponent);
}

template double scaled_norm(const float* x, const float* y, std::int64_t width);
template double scaled_norm(const double* x, const double* y, std::int64_t width);

std::vector<double> row_norms(const at::Tensor& t, Norm norm) {
  if (!has_row_kernels(t) || norm == Norm::Maximum || !t.is_contiguous()) {
    const at::Tensor rows = wide_rows(t);
    std::vector<double> norms = to_host(plain_norms(rows, norm));
    mend_plain_norms(rows, norm, norms);
    return norms;
  }
  const std::int64_t width = row_width(t);
  const double unit = scale_norm(1.0, norm, width);
  std::vector<double> norms(t.sizes()[0]);
  AT_DISPATCH_FLOATING_TYPES(t.scalar_type(), "row_norms", [&] {
    const auto& kernels = row_kernels<scalar_t>();
    const scalar_t* rows = t.data_ptr<scalar_t>();
    for (std::size_t b = 0; b < norms.size(); ++b) {
      const scalar_t* row = rows + static_cast<std::int64_t>(b) * width;
      kernels.dots(row, width, 1, row, width, &norms[b]);
      norms[b] = unit * std::sqrt(norms[b]);
    }
    mend_norms<scalar_t>(rows, nullptr, width, unit, norms);
  });
  return norms;
}

at::Tensor row_dot(const at::Tensor& x, const at::Tensor& y) { return as_column(as_rows(x * y).sum(1), x); }

at::Tensor matrix_times(const at::Tensor& matrix, const at::Tensor& x) {
  return at::bmm(matrix, x.unsqueeze(2)).squeeze(2);
}

at::Tensor finite_or_zero(const at::Tensor& t) { return at::where(at::isfinite(t), t, 0); }

at::Tensor quotient_or_zero(const at::Tensor& x, const at::Tensor& y) { return finite_or_zero(x / y); }

double disagreement(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() == 0) return 0.0;
  if (!at::equal(a.isnan(), b.isnan())) return std::numeric_limits<double>::infinity();
  const double difference = widened(a - b).abs().nan_to_num(0.0).max().item<double>();
  const double largest = widened(b).abs().nan_to_num(0.0, 0.0, 0.0).max().item<double>();
  return difference <= std::sqrt(machine_epsilon(a.scalar_type())) * (1.0 + largest) ? 0.0 : difference;
}

at::Tensor select_rows(const Mask& mark, const at::Tensor& chosen, const at::Tensor& other) {
  if (can_copy_rows(chosen, other)) {
    at::Tensor result = other.clone();
    copy_rows(mark, chosen, result);
    return result;
  }
  return at::where(to_mask(mark, chosen), chosen, other);
}

void copy_rows(const Mask& mark, const at::Tensor& from, at::Tensor& into) {
  if (!from.is_cpu()) {
    into.copy_(select_rows(mark, from, into));
    return;
  }
  const std::size_t bytes = row_width(from) * from.element_size();
  const char* source = static_cast<const char*>(from.data_ptr());
  char* target = static_cast<char*>(into.data_ptr());
  for (std::size_t b = 0; b < mark.size(); ++b) {
    if (mark[b]) std::memcpy(target + b * bytes, source + b * bytes, bytes);
  }
}

at::Tensor damp(const at::Tensor& z, const at::Tensor& fz, double damping, Recycler& recycler) {
  if (!has_row_kernels(z)) return at::add(z, fz - z, damping);
  at::Tensor out = recycler.take(z);
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "damp", [&] {
    row_kernels<scalar_t>().damp(z.data_ptr<scalar_t>(), fz.data_ptr<scalar_t>(),
                                 static_cast<scalar_t>(damping), z.numel(), out.data_ptr<scalar_t>());
  });
  return out;
}

at::Tensor add_and_compare(const at::Tensor& p, const at::Tensor& g, const at::Tensor& u, Norm norm,
                           Recycler& recycler, std::vector<double>& change) {
  if (!has_row_kernels(p) || norm == Norm::Maximum) {
    at::Tensor out = p + g;
    change = row_norms(out - u, norm);
    return out;
  }
  at::Tensor out = recycler.take(p);
  const std::int64_t width = row_width(p);
  change.resize(p.size(0));
  const double unit = scale_norm(1.0, norm, width);
  AT_DISPATCH_FLOATING_TYPES(p.scalar_type(), "add_and_compare", [&] {
    const scalar_t* before = u.data_ptr<scalar_t>();
    row_kernels<scalar_t>().add_and_compare(p.data_ptr<scalar_t>(), g.data_ptr<scalar_t>(), before, p.size(0),
                                            width, unit, out.data_ptr<scalar_t>(), change.data());
    mend_norms<scalar_t>(out.data_ptr<scalar_t>(), before, width, unit, change);
  });
  return out;
}

}  // namespace detail

void residual_norms(const at::Tensor& z, const at::Tensor& fz, Norm norm, RowNorms& norms) {
  if (!detail::has_row_kernels(z) || norm == Norm::Maximum) {
    detail::aten_residual_norms(z, fz, norm, norms);
    return;
  }
  if (!z.is_contiguous() || !fz.is_contiguous()) {
    residual_norms(z.contiguous(), fz.contiguous(), norm, norms);
    return;
  }
  const std::int64_t batch = z.sizes()[0];
  norms.residual.resize(batch);
  norms.scale.resize(batch);
  const std::int64_t width = detail::row_width(z);
  const double unit = detail::scale_norm(1.0, norm, width);
  const auto run = [&]<class T>(const T* x) {
    const T* f = static_cast<const T*>(fz.data_ptr());
    detail::row_kernels<T>().residual_norms(x, f, batch, width, unit, norms.residual.data(),
                                            norms.scale.data());
    detail::mend_norms<T>(f, x, width, unit, norms.residual);
    detail::mend_norms<T>(x, nullptr, width, unit, norms.scale);
  };
  if (z.scalar_type() == at::kFloat) {
    run(static_cast<const float*>(z.data_ptr()));
  } else {
    run(static_cast<const double*>(z.data_ptr()));
  }
}

}  // namespace stillpoint
