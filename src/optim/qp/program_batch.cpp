#include "optim/qp/program_batch.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "core/check.h"
#include "optim/projections/arguments.h"
#include "optim/qp/both_products.h"

namespace stillpoint::detail {
namespace {

struct Part {
  const char* name;
  const at::Tensor* tensor;
  std::int64_t dims;  // without a batch dimension
};

std::vector<Part> parts_of(const optim::QuadraticProgram& program) {
  return {{"Q", &program.Q, 2},         {"p", &program.p, 1},        {"G", &program.G, 2},
          {"h", &program.h, 1},         {"A", &program.A, 2},        {"b", &program.b, 1},
          {"lower", &program.lower, 1}, {"upper", &program.upper, 1}};
}

// The batch size. Dtype and device are compared with those of the first part.
std::int64_t checked_size(const std::vector<Part>& parts) {
  const Part* first = nullptr;
  const Part* batched = nullptr;
  for (const Part& part : parts) {
    const at::Tensor& t = *part.tensor;
    if (!t.defined()) continue;
    check_no_transform(part.name, t);
    TORCH_CHECK(t.scalar_type() == at::kDouble || t.scalar_type() == at::kFloat, part.name,
                ": expected float or double, got ", t.scalar_type());
    TORCH_CHECK(t.dim() == part.dims || t.dim() == part.dims + 1, part.name, ": expected ", part.dims,
                " dimensions, or ", part.dims + 1, " with the batch first, got shape ", t.sizes());
    if (first == nullptr) first = &part;
    TORCH_CHECK(t.scalar_type() == first->tensor->scalar_type() && t.device() == first->tensor->device(),
                part.name, ": expected ", first->tensor->scalar_type(), " on ", first->tensor->device(),
                ", as ", first->name, ", got ", t.scalar_type(), " on ", t.device());
    if (t.dim() == part.dims) continue;
    if (batched == nullptr) batched = &part;
    TORCH_CHECK(t.size(0) == batched->tensor->size(0), part.name, ": expected the batch of ",
                batched->tensor->size(0), " that ", batched->name, " has, got shape ", t.sizes());
  }
  TORCH_CHECK(first != nullptr, "program: expected at least one part, got none");
  return batched != nullptr ? batched->tensor->size(0) : 1;
}

std::int64_t unknowns_of(const std::vector<Part>& parts) {
  const Part* first = nullptr;
  for (const Part& part : parts) {
    const bool has_unknowns =
        part.tensor->defined() && part.tensor != parts[3].tensor && part.tensor != parts[5].tensor;
    if (!has_unknowns) continue;
    if (first == nullptr) first = &part;
    TORCH_CHECK(part.tensor->size(-1) == first->tensor->size(-1), part.name, ": expected ",
                first->tensor->size(-1), " columns, one for each unknown, as ", first->name,
                " has, got shape ", part.tensor->sizes());
  }
  TORCH_CHECK(first != nullptr, "program: expected a part that says how many unknowns there are, such as p");
  return first->tensor->size(-1);
}

std::int64_t checked_rows(const char* matrix_name, const at::Tensor& matrix, const char* side_name,
                          const at::Tensor& side) {
  TORCH_CHECK(matrix.defined() == side.defined(), matrix.defined() ? side_name : matrix_name,
              ": expected it with ", matrix.defined() ? matrix_name : side_name, ", got an undefined tensor");
  if (!matrix.defined()) return 0;
  TORCH_CHECK(matrix.size(-2) == side.size(-1), side_name, ": expected ", matrix.size(-2),
              " numbers, one for each row of ", matrix_name, ", got shape ", side.sizes());
  return matrix.size(-2);
}

}  // namespace

ProgramBatch::ProgramBatch(optim::QuadraticProgram program, const optim::Smoothing& smoothing)
    : program_(std::move(program)) {
  const std::vector<Part> parts = parts_of(program_);
  size_ = checked_size(parts);
  n_ = unknowns_of(parts);
  TORCH_CHECK(!program_.Q.defined() || program_.Q.size(-2) == n_, "Q: expected square matrices, got shape ",
              program_.Q.sizes());
  m_ = checked_rows("G", program_.G, "h", program_.h);
  k_ = checked_rows("A", program_.A, "b", program_.b);
  std::vector<at::Tensor> open;
  const double infinity = std::numeric_limits<double>::infinity();
  const auto add = [&](const at::Tensor& side, double nothing) {
    if (side.defined()) open.push_back((side.detach() == nothing).expand({size_, side.size(-1)}));
  };
  add(program_.h, infinity);
  add(program_.lower, -infinity);
  add(program_.upper, infinity);
  open_ = open.empty() ? at::empty({size_, 0}, options().dtype(at::kBool)) : at::cat(open, 1);
  if (const auto* barrier = std::get_if<optim::Barrier>(&smoothing)) {
    mu_ = positive_column("smoothing.mu", barrier->mu, at::empty({size_, n_}, options()));
  }
}

at::TensorOptions ProgramBatch::options() const {
  for (const Part& part : parts_of(program_)) {
    if (part.tensor->defined()) return part.tensor->options().layout(at::kStrided).requires_grad(false);
  }
  return {};
}

// At w = 0 the derivative of max(w, 0) is taken to be one: weakly active rows count as active.
ProgramBatch::RowPair ProgramBatch::pair(const at::Tensor& w) const {
  if (!mu_.defined()) {
    const at::Tensor z = w.clamp_min(0);
    return {z, z - w};
  }
  const at::Tensor root = (w * w + 4 * mu_).sqrt();  // z + s
  const at::Tensor larger = (w.abs() + root) / 2;
  const at::Tensor smaller = mu_ / larger;
  const at::Tensor above = w > 0;
  return {at::where(above, larger, smaller).masked_fill(open_, 0), at::where(above, smaller, larger)};
}

at::Tensor ProgramBatch::residual(const at::Tensor& state) const {
  const at::Tensor x = state.narrow(1, 0, n_);
  const at::Tensor w = state.narrow(1, n_, rows());
  const at::Tensor y = state.narrow(1, n_ + rows(), k_);
  const auto [z, s] = pair(w);
  at::Tensor slope =
      program_.p.defined() ? program_.p.expand({size_, n_}) : at::zeros({size_, n_}, options());
  std::vector<at::Tensor> gaps;
  if (program_.Q.defined()) {
    const BothProducts q = both_products(program_.Q, x, x);
    slope = slope + (q.forward + q.transposed) / 2;
  }
  if (m_ > 0) {
    const BothProducts g = both_products(program_.G, x, z.narrow(1, 0, m_));
    slope = slope + g.transposed;
    gaps.push_back(g.forward - program_.h);
  }
  if (program_.lower.defined()) {
    slope = slope - z.narrow(1, m_, n_);
    gaps.push_back(program_.lower - x);
  }
  if (program_.upper.defined()) {
    slope = slope + z.narrow(1, m_ + lower_rows(), n_);
    gaps.push_back(x - program_.upper);
  }
  std::vector<at::Tensor> r = {slope};
  if (rows() > 0) r.push_back(at::where(open_, -1 - w, at::cat(gaps, 1) + s));
  if (k_ > 0) {
    const BothProducts a = both_products(program_.A, x, y);
    r[0] = r[0] + a.transposed;
    r.push_back(a.forward - program_.b);
  }
  return at::cat(r, 1);
}

ProgramNumbers::ProgramNumbers(const optim::QuadraticProgram& program, const ProgramBatch& batch)
    : n_(batch.unknowns()),
      m_(batch.general_rows()),
      k_(batch.equalities()),
      lower_rows_(batch.lower_rows()) {
  parts_ = map_parts(program, [](const at::Tensor& t, std::int64_t /*dims*/) {
    return t.detach().to(at::kCPU, at::kDouble).contiguous();
  });
}

namespace {

// The numbers of sample i, in one that all share or in a batch.
const double* numbers_of(const at::Tensor& part, std::int64_t i, std::int64_t dims) {
  const std::int64_t each = part.dim() == dims || part.size(0) == 0 ? 0 : part.numel() / part.size(0);
  return part.data_ptr<double>() + i * each;
}

}  // namespace

void ProgramNumbers::add_bounds(std::int64_t i, const at::Tensor& bound, double sign, std::int64_t first,
                                Sample& sample) const {
  if (!bound.defined()) return;
  const double* value = numbers_of(bound, i, 1);
  for (std::int64_t j = 0; j < n_; ++j) {
    if (sign * value[j] == std::numeric_limits<double>::infinity()) continue;
    Instance& program = sample.program;
    program.g.data.resize(program.g.data.size() + n_, 0.0);
    program.g[program.g.rows++][j] = sign;
    program.h.push_back(sign * value[j]);
    sample.row.push_back(first + j);
  }
}

ProgramNumbers::Sample ProgramNumbers::sample(std::int64_t i) const {
  Sample sample;
  Instance& program = sample.program;
  program.q = Matrix(n_, n_);
  if (parts_.Q.defined()) {
    const double* q = numbers_of(parts_.Q, i, 2);
    for (std::int64_t r = 0; r < n_; ++r) {
      for (std::int64_t c = 0; c < n_; ++c) program.q[r][c] = (q[r * n_ + c] + q[c * n_ + r]) / 2;
    }
  }
  program.p.assign(n_, 0.0);
  if (parts_.p.defined()) std::copy_n(numbers_of(parts_.p, i, 1), n_, program.p.begin());
  program.a = Matrix(k_, n_);
  if (k_ > 0) {
    std::copy_n(numbers_of(parts_.A, i, 2), k_ * n_, program.a.data.begin());
    const double* b = numbers_of(parts_.b, i, 1);
    program.b.assign(b, b + k_);
  }
  program.g.cols = n_;
  for (std::int64_t r = 0; r < m_; ++r) {
    const double side = numbers_of(parts_.h, i, 1)[r];
    if (side == std::numeric_limits<double>::infinity()) continue;
    const double* row = numbers_of(parts_.G, i, 2) + r * n_;
    program.g.data.insert(program.g.data.end(), row, row + n_);
    ++program.g.rows;
    program.h.push_back(side);
    sample.row.push_back(r);
  }
  add_bounds(i, parts_.lower, -1.0, m_, sample);
  add_bounds(i, parts_.upper, 1.0, m_ + lower_rows_, sample);
  return sample;
}

}  // namespace stillpoint::detail
