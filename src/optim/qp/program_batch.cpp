#include "optim/qp/program_batch.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "core/check.h"
#include "optim/projections/arguments.h"

namespace stillpoint::detail {
namespace {

struct Part {
  const char* name;
  const at::Tensor* tensor;
  std::int64_t dims;  // without a batch dimension
};

std::vector<Part> checked_parts(const optim::QuadraticProgram& program) {
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

ProgramBatch::ProgramBatch(optim::QuadraticProgram program, const optim::Smoothing& smoothing) {
  terms_.parts = std::move(program);
  const optim::QuadraticProgram& own = terms_.parts;
  const std::vector<Part> parts = checked_parts(own);
  terms_.batch = checked_size(parts);
  const std::int64_t n = unknowns_of(parts);
  TORCH_CHECK(!own.Q.defined() || own.Q.size(-2) == n, "Q: expected square matrices, got shape ",
              own.Q.sizes());
  terms_.layout = {n, checked_rows("G", own.G, "h", own.h), own.lower.defined() ? n : 0,
                   own.upper.defined() ? n : 0, checked_rows("A", own.A, "b", own.b)};
  std::vector<at::Tensor> open;
  const double infinity = std::numeric_limits<double>::infinity();
  const auto add = [&](const at::Tensor& side, double nothing) {
    if (side.defined()) open.push_back((side.detach() == nothing).expand({size(), side.size(-1)}));
  };
  add(own.h, infinity);
  add(own.lower, -infinity);
  add(own.upper, infinity);
  terms_.open = open.empty() ? at::empty({size(), 0}, options().dtype(at::kBool)) : at::cat(open, 1);
  if (const auto* barrier = std::get_if<optim::Barrier>(&smoothing)) {
    terms_.mu = positive_column("smoothing.mu", barrier->mu, at::empty({size(), n}, options()));
  }
}

bool ProgramBatch::records() const {
  const std::vector<Part> parts = checked_parts(terms_.parts);
  return at::GradMode::is_enabled() &&
         (mu().defined() || std::any_of(parts.begin(), parts.end(), [](const Part& part) {
            return part.tensor->defined() && part.tensor->requires_grad();
          }));
}

ProgramNumbers::ProgramNumbers(const optim::QuadraticProgram& program, const ProgramBatch& batch)
    : n_(batch.unknowns()),
      m_(batch.general_rows()),
      k_(batch.equalities()),
      lower_rows_(batch.lower_rows()),
      folds_(!batch.mu().defined()) {
  parts_ = map_parts(program, [](const at::Tensor& t, std::int64_t /*dims*/) {
    return t.detach().to(at::kCPU, at::kDouble).contiguous();
  });
}

std::vector<FixedUnknown> fixed_unknowns(const double* lower, const double* upper, std::int64_t n,
                                         std::int64_t first_row) {
  std::vector<FixedUnknown> fixed;
  for (std::int64_t j = 0; j < n; ++j) {
    if (lower[j] == upper[j] && std::isfinite(lower[j]))
      fixed.push_back({j, first_row + j, first_row + n + j});
  }
  return fixed;
}

bool is_fixed(const std::vector<FixedUnknown>& fixed, std::int64_t unknown) {
  const auto found =
      std::lower_bound(fixed.begin(), fixed.end(), unknown,
                       [](const FixedUnknown& one, std::int64_t j) { return one.unknown < j; });
  return found != fixed.end() && found->unknown == unknown;
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
    if (sign * value[j] == std::numeric_limits<double>::infinity() || is_fixed(sample.fixed, j)) continue;
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
  if (folds_ && parts_.lower.defined() && parts_.upper.defined())
    sample.fixed = fixed_unknowns(numbers_of(parts_.lower, i, 1), numbers_of(parts_.upper, i, 1), n_, m_);
  program.a = Matrix(k_ + static_cast<std::int64_t>(sample.fixed.size()), n_);
  if (k_ > 0) {
    std::copy_n(numbers_of(parts_.A, i, 2), k_ * n_, program.a.data.begin());
    const double* b = numbers_of(parts_.b, i, 1);
    program.b.assign(b, b + k_);
  }
  for (const FixedUnknown& one : sample.fixed) {
    program.a[static_cast<std::int64_t>(program.b.size())][one.unknown] = 1.0;
    program.b.push_back(numbers_of(parts_.upper, i, 1)[one.unknown]);
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
