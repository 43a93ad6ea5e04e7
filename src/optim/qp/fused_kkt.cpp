#include "optim/qp/fused_kkt.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "optim/qp/dense.h"
#include "optim/qp/dense_kernels.h"

namespace stillpoint::detail {
namespace {

// The numbers of one part, sample by sample; all share those of a part without a batch dimension.
class PartNumbers {
 public:
  PartNumbers() = default;
  PartNumbers(const at::Tensor& part, std::int64_t dims) {
    if (!part.defined()) return;
    tensor_ = part.detach().contiguous();
    numbers_ = tensor_.data_ptr<double>();
    stride_ = part.dim() == dims || part.size(0) == 0 ? 0 : part.numel() / part.size(0);
  }
  bool defined() const { return numbers_ != nullptr; }
  const double* sample(std::int64_t i) const { return numbers_ + i * stride_; }

 private:
  at::Tensor tensor_;
  const double* numbers_ = nullptr;
  std::int64_t stride_ = 0;
};

// Of a state, of what arrives at one, or of a residual.
struct StateView {
  double *x, *rows, *y;

  StateView(double* state, const ProgramLayout& layout)
      : x(state), rows(state + layout.unknowns), y(rows + layout.rows()) {}
};

template <class Work>
void for_each_program(std::int64_t batch, const Work& work) {
  at::parallel_for(0, batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) work(i);
  });
}

// to += [Qx + G'a + A'y; Gx; Ax], where Q stands for its symmetric part and the bounds are rows of G.
class FusedLinearPart {
 public:
  explicit FusedLinearPart(const KktTerms& terms)
      : layout_(terms.layout), q_(terms.parts.Q, 2), g_(terms.parts.G, 2), a_(terms.parts.A, 2) {}

  void add(std::int64_t i, const double* x, const double* a, const double* y, const StateView& to) const {
    const std::int64_t n = layout_.unknowns;
    if (q_.defined()) {
      kernels_.multiply(0.5, q_.sample(i), n, n, x, to.x);
      kernels_.add_product(0.5, n, x, 1, 1, q_.sample(i), n, n, to.x, n, false);
    }
    if (layout_.general > 0) add_rows(g_.sample(i), layout_.general, x, a, to.x, to.rows);
    if (layout_.equalities > 0) add_rows(a_.sample(i), layout_.equalities, x, y, to.x, to.y);
    const double* lower = a + layout_.general;
    const double* upper = lower + layout_.lower;
    double* of_bounds = to.rows + layout_.general;
    for (std::int64_t j = 0; j < layout_.lower; ++j) {
      to.x[j] -= lower[j];
      of_bounds[j] -= x[j];
    }
    for (std::int64_t j = 0; j < layout_.upper; ++j) {
      to.x[j] += upper[j];
      of_bounds[layout_.lower + j] += x[j];
    }
  }

 private:
  void add_rows(const double* m, std::int64_t rows, const double* x, const double* a, double* to_x,
                double* to_rows) const {
    const std::int64_t n = layout_.unknowns;
    kernels_.multiply(1.0, m, rows, n, x, to_rows);
    kernels_.add_product(1.0, rows, a, 1, 1, m, n, n, to_x, n, false);
  }

  ProgramLayout layout_;
  const DenseKernels& kernels_ = dense_kernels();
  PartNumbers q_, g_, a_;
};

struct Numbers {
  at::Tensor tensor;
  double* data;

  explicit Numbers(const at::Tensor& t) : tensor(t.detach().contiguous()), data(tensor.data_ptr<double>()) {}
};

// What arrives at the rows, but for those that constrain nothing.
void copy_reach(const double* rows, const bool* open, std::int64_t count, double* to) {
  for (std::int64_t r = 0; r < count; ++r) to[r] = open[r] ? 0.0 : rows[r];
}

// What the gradients of the parts are made of: the dual of each row, and what reaches it.
struct RowNumbers {
  at::Tensor dual, reach;

  RowNumbers(const KktTerms& terms, const Numbers& state, const Numbers& v) {
    const ProgramLayout& layout = terms.layout;
    dual = at::empty({terms.batch, layout.rows()}, state.tensor.options());
    reach = at::empty_like(dual);
    const at::Tensor open = terms.open.contiguous();
    for (std::int64_t i = 0; i < terms.batch; ++i) {
      const double* w = StateView(state.data + i * layout.width(), layout).rows;
      const std::int64_t first = i * layout.rows();
      for (std::int64_t r = 0; r < layout.rows(); ++r)
        dual.data_ptr<double>()[first + r] = std::max(0.0, w[r]);
      copy_reach(StateView(v.data + i * layout.width(), layout).rows, open.data_ptr<bool>() + first,
                 layout.rows(), reach.data_ptr<double>() + first);
    }
  }
};

// A batch of vectors within rows of a tensor.
struct Vectors {
  const double* data;
  std::int64_t stride;
  const double* sample(std::int64_t i) const { return data + i * stride; }
};

// factor (a x' + w c'), of each sample, or its sum if all share the part.
at::Tensor outer_products(const at::Tensor& part, std::int64_t batch, double factor, const Vectors& a,
                          const Vectors& x, const Vectors& w, const Vectors& c) {
  const std::int64_t rows = part.size(-2);
  const std::int64_t columns = part.size(-1);
  const DenseKernels& kernels = dense_kernels();
  at::Tensor out = at::empty(part.sizes(), part.options().requires_grad(false));
  auto* to = out.data_ptr<double>();
  if (part.dim() == 2) {
    std::fill_n(to, rows * columns, 0.0);
    kernels.add_product(factor, batch, a.data, a.stride, rows, x.data, x.stride, columns, to, columns, false);
    kernels.add_product(factor, batch, w.data, w.stride, rows, c.data, c.stride, columns, to, columns, false);
    return out;
  }
  for_each_program(batch, [&](std::int64_t i) {
    kernels.outer_pair(factor, a.sample(i), x.sample(i), w.sample(i), c.sample(i), rows, columns,
                       to + i * rows * columns);
  });
  return out;
}

// sign v, of each sample, or its sum.
at::Tensor vectors(const at::Tensor& part, std::int64_t batch, double sign, const Vectors& v) {
  const std::int64_t width = part.size(-1);
  at::Tensor out = at::zeros(part.sizes(), part.options().requires_grad(false));
  auto* to = out.data_ptr<double>();
  for (std::int64_t i = 0; i < batch; ++i)
    axpy(sign, v.sample(i), to + (part.dim() == 1 ? 0 : i * width), width);
  return out;
}

}  // namespace

bool fits_fused(const at::Tensor& state) { return state.is_cpu() && state.scalar_type() == at::kDouble; }

at::Tensor fused_conditions(const KktTerms& terms, const at::Tensor& state) {
  const ProgramLayout& layout = terms.layout;
  const FusedLinearPart linear(terms);
  const Numbers at(state);
  const at::Tensor open = terms.open.contiguous();
  const PartNumbers p(terms.parts.p, 1), h(terms.parts.h, 1), b(terms.parts.b, 1);
  const PartNumbers lower(terms.parts.lower, 1), upper(terms.parts.upper, 1);
  at::Tensor out = at::zeros(state.sizes(), state.options().requires_grad(false));
  for_each_program(terms.batch, [&](std::int64_t i) {
    const StateView from(at.data + i * layout.width(), layout);
    const StateView to(out.data_ptr<double>() + i * layout.width(), layout);
    Vector z(from.rows, from.rows + layout.rows());
    for (double& v : z) v = std::max(0.0, v);
    linear.add(i, from.x, z.data(), from.y, to);
    if (p.defined()) axpy(1.0, p.sample(i), to.x, layout.unknowns);
    if (b.defined()) axpy(-1.0, b.sample(i), to.y, layout.equalities);
    if (h.defined()) axpy(-1.0, h.sample(i), to.rows, layout.general);
    if (lower.defined()) axpy(1.0, lower.sample(i), to.rows + layout.general, layout.lower);
    if (upper.defined()) axpy(-1.0, upper.sample(i), to.rows + layout.general + layout.lower, layout.upper);
    const bool* none = open.data_ptr<bool>() + i * layout.rows();
    for (std::int64_t r = 0; r < layout.rows(); ++r)
      to.rows[r] = none[r] ? -1.0 - from.rows[r] : to.rows[r] + (z[r] - from.rows[r]);
  });
  return out;
}

at::Tensor fused_state_gradient(const KktTerms& terms, const at::Tensor& state, const at::Tensor& v) {
  const ProgramLayout& layout = terms.layout;
  const FusedLinearPart linear(terms);
  const Numbers at(state);
  const Numbers arriving(v);
  const at::Tensor open = terms.open.contiguous();
  at::Tensor out = at::zeros(state.sizes(), state.options().requires_grad(false));
  for_each_program(terms.batch, [&](std::int64_t i) {
    const double* w = StateView(at.data + i * layout.width(), layout).rows;
    const StateView from(arriving.data + i * layout.width(), layout);
    const StateView to(out.data_ptr<double>() + i * layout.width(), layout);
    const bool* none = open.data_ptr<bool>() + i * layout.rows();
    Vector reach(layout.rows());
    copy_reach(from.rows, none, layout.rows(), reach.data());
    linear.add(i, from.x, reach.data(), from.y, to);
    for (std::int64_t r = 0; r < layout.rows(); ++r)
      to.rows[r] = (w[r] >= 0.0 && !none[r] ? to.rows[r] + reach[r] : 0.0) - from.rows[r];
  });
  return out;
}

std::array<at::Tensor, kParts> fused_part_gradients(const KktTerms& terms, const at::Tensor& state,
                                                    const at::Tensor& v, const WantedParts& wanted) {
  const auto& [parts, layout, batch, open, mu] = terms;
  const Numbers at(state);
  const Numbers arriving(v);
  const RowNumbers rows(terms, at, arriving);
  const auto within = [&, width = layout.width()](const double* state_numbers, std::int64_t first) {
    return Vectors{state_numbers + first, width};
  };
  const std::int64_t before_y = layout.unknowns + layout.rows();
  const Vectors x = within(at.data, 0), y = within(at.data, before_y);
  const Vectors of_x = within(arriving.data, 0), of_y = within(arriving.data, before_y);
  const Vectors z{rows.dual.data_ptr<double>(), layout.rows()};
  const auto reach = [&, all = layout.rows()](std::int64_t first) {
    return Vectors{rows.reach.data_ptr<double>() + first, all};
  };
  std::array<at::Tensor, kParts> result;
  if (wanted[kQ]) result[kQ] = outer_products(parts.Q, batch, 0.5, of_x, x, x, of_x);
  if (wanted[kP]) result[kP] = vectors(parts.p, batch, 1.0, of_x);
  if (wanted[kG]) result[kG] = outer_products(parts.G, batch, 1.0, z, of_x, reach(0), x);
  if (wanted[kH]) result[kH] = vectors(parts.h, batch, -1.0, reach(0));
  if (wanted[kA]) result[kA] = outer_products(parts.A, batch, 1.0, y, of_x, of_y, x);
  if (wanted[kB]) result[kB] = vectors(parts.b, batch, -1.0, of_y);
  if (wanted[kLower]) result[kLower] = vectors(parts.lower, batch, 1.0, reach(layout.general));
  if (wanted[kUpper])
    result[kUpper] = vectors(parts.upper, batch, -1.0, reach(layout.general + layout.lower));
  return result;
}

}  // namespace stillpoint::detail
