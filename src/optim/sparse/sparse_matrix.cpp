#include "stillpoint/optim/sparse_matrix.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <utility>

#include "autograd/layer_node.h"
#include "core/check.h"

namespace stillpoint::optim {
namespace {

using torch::autograd::Edge;
using torch::autograd::Node;
using torch::autograd::variable_list;

constexpr const char* kMatrixNode = "StillpointSparseMatrix";

// The two are linear, and each is the derivative of the other.
struct SavedMatrix : detail::Saved {
  variable_list differentiate(const std::shared_ptr<Node>& /*node*/, const at::Tensor& g) const override {
    return {sparse_values(g)};
  }
};

struct SavedValues : detail::Saved {
  at::Tensor row_starts, column_indices;
  std::int64_t rows = 0, columns = 0;

  variable_list differentiate(const std::shared_ptr<Node>& /*node*/, const at::Tensor& g) const override {
    return {sparse_matrix(row_starts, column_indices, g, rows, columns)};
  }
};

// For values whose graph is known: no sparse gradient is made, which LibTorch could not add to another.
struct SavedAlias : detail::Saved {
  variable_list differentiate(const std::shared_ptr<Node>& /*node*/, const at::Tensor& g) const override {
    return {g};
  }
};

}  // namespace

at::Tensor sparse_matrix(const at::Tensor& row_starts, const at::Tensor& column_indices,
                         const at::Tensor& values, std::int64_t rows, std::int64_t columns) {
  detail::check_no_transform("values", values);
  at::Tensor out = at::sparse_csr_tensor(row_starts.detach(), column_indices.detach(), values.detach(),
                                         {rows, columns}, values.options().layout(at::kSparseCsr));
  if (at::GradMode::is_enabled() && values.requires_grad()) {
    out = out.detach();
    detail::attach(out, kMatrixNode, {torch::autograd::impl::gradient_edge(values)},
                   std::make_shared<SavedMatrix>());
  }
  return out;
}

at::Tensor sparse_values(const at::Tensor& matrix) {
  TORCH_CHECK(matrix.layout() == at::kSparseCsr && matrix.dim() == 2,
              "matrix: expected a sparse CSR tensor with 2 dimensions, got ", matrix.layout(), " with ",
              matrix.dim());
  const at::Tensor numbers = matrix.detach();
  at::Tensor out = numbers.values().detach();
  if (!at::GradMode::is_enabled() || !matrix.requires_grad()) return out;
  const std::shared_ptr<Node>& made_by = matrix.grad_fn();
  if (made_by != nullptr && made_by->name() == kMatrixNode) {
    detail::attach(out, "StillpointSparseAlias", {made_by->next_edge(0)}, std::make_shared<SavedAlias>());
    return out;
  }
  const auto saved = std::make_shared<SavedValues>();
  saved->row_starts = numbers.crow_indices();
  saved->column_indices = numbers.col_indices();
  saved->rows = matrix.size(0);
  saved->columns = matrix.size(1);
  detail::attach(out, "StillpointSparseValues", {torch::autograd::impl::gradient_edge(matrix)}, saved);
  return out;
}

}  // namespace stillpoint::optim
