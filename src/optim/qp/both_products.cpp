#include "optim/qp/both_products.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "autograd/layer_node.h"
#include "optim/qp/dense_kernels.h"
#include "optim/sparse/sparse_products.h"

namespace stillpoint::detail {
namespace {

using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// Both are bilinear, and each is the derivative of the other.
at::Tensor stacked_products(const at::Tensor& m, const at::Tensor& x, const at::Tensor& w);
at::Tensor sum_of_outer(const at::Tensor& a, const at::Tensor& x, const at::Tensor& w, const at::Tensor& c);

class SavedTensors : public Saved {
 public:
  explicit SavedTensors(const variable_list& inputs) {
    for (const at::Tensor& t : inputs) inputs_.emplace_back(t, /*is_output=*/false);
  }

 protected:
  at::Tensor input(std::size_t i) const { return inputs_[i].unpack(); }

 private:
  std::vector<SavedVariable> inputs_;
};

struct SavedProducts : SavedTensors {
  using SavedTensors::SavedTensors;
  variable_list differentiate(const std::shared_ptr<Node>& node, const at::Tensor& g) const override {
    const at::Tensor m = input(0);
    const at::Tensor a = g.narrow(1, 0, m.size(1));
    const at::Tensor c = g.narrow(1, m.size(1), m.size(2));
    variable_list result(3);
    if (node->task_should_compute_output(0)) result[0] = sum_of_outer(a, input(1), input(2), c);
    if (node->task_should_compute_output(1) || node->task_should_compute_output(2)) {
      const at::Tensor both = stacked_products(m, c, a);
      result[1] = both.narrow(1, m.size(1), m.size(2));
      result[2] = both.narrow(1, 0, m.size(1));
    }
    return result;
  }
};

struct SavedOuter : SavedTensors {
  using SavedTensors::SavedTensors;
  variable_list differentiate(const std::shared_ptr<Node>& /*node*/, const at::Tensor& g) const override {
    const at::Tensor of_first = stacked_products(g, input(1), input(0));
    const at::Tensor of_second = stacked_products(g, input(3), input(2));
    const std::int64_t m = g.size(1);
    const std::int64_t n = g.size(2);
    return {of_first.narrow(1, 0, m), of_first.narrow(1, m, n), of_second.narrow(1, 0, m),
            of_second.narrow(1, m, n)};
  }
};

template <class SavedInputs>
void attach_to_inputs(at::Tensor& out, const char* name, const variable_list& inputs) {
  const bool wanted =
      at::GradMode::is_enabled() &&
      std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& t) { return t.requires_grad(); });
  if (!wanted) return;
  torch::autograd::edge_list edges;
  for (const at::Tensor& t : inputs) edges.push_back(torch::autograd::impl::gradient_edge(t));
  attach(out, name, std::move(edges), std::make_shared<SavedInputs>(inputs));
}

// Calls work(sample).
template <class Work>
void for_each_sample(std::int64_t batch, Work work) {
  at::parallel_for(0, batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) work(i);
  });
}

at::Tensor stacked_products(const at::Tensor& m, const at::Tensor& x, const at::Tensor& w) {
  const at::Tensor matrix = m.detach().contiguous();
  const at::Tensor of_rows = x.detach().contiguous();
  const at::Tensor of_columns = w.detach().contiguous();
  const std::int64_t rows = m.size(1);
  const std::int64_t columns = m.size(2);
  at::Tensor out = at::zeros({m.size(0), rows + columns}, m.options());
  const DenseKernels& kernels = dense_kernels();
  for_each_sample(m.size(0), [&](std::int64_t i) {
    const double* own = matrix.data_ptr<double>() + i * rows * columns;
    double* to = out.data_ptr<double>() + i * (rows + columns);
    kernels.multiply(1.0, own, rows, columns, of_rows.data_ptr<double>() + i * columns, to);
    kernels.add_product(1.0, rows, of_columns.data_ptr<double>() + i * rows, 1, 1, own, columns, columns,
                        to + rows, columns, false);
  });
  attach_to_inputs<SavedProducts>(out, "StillpointBothProducts", {m, x, w});
  return out;
}

// a x' + w c'
at::Tensor sum_of_outer(const at::Tensor& a, const at::Tensor& x, const at::Tensor& w, const at::Tensor& c) {
  const at::Tensor left = at::stack({a.detach(), w.detach()}, 1);
  const at::Tensor right = at::stack({x.detach(), c.detach()}, 1);
  const std::int64_t rows = a.size(1);
  const std::int64_t columns = x.size(1);
  at::Tensor out = at::empty({a.size(0), rows, columns}, a.options());
  const DenseKernels& kernels = dense_kernels();
  for_each_sample(a.size(0), [&](std::int64_t i) {
    double* to = out.data_ptr<double>() + i * rows * columns;
    std::fill_n(to, rows * columns, 0.0);
    kernels.add_product(1.0, 2, left.data_ptr<double>() + i * 2 * rows, rows, rows,
                        right.data_ptr<double>() + i * 2 * columns, columns, columns, to, columns, false);
  });
  attach_to_inputs<SavedOuter>(out, "StillpointOuterProducts", {a, x, w, c});
  return out;
}

at::Tensor times(const at::Tensor& matrix, const at::Tensor& v) {
  if (matrix.dim() == 2) return at::matmul(v, matrix.t());
  return at::matmul(matrix, v.unsqueeze(2)).squeeze(2);
}

}  // namespace

BothProducts both_products(const at::Tensor& m, const at::Tensor& x, const at::Tensor& w) {
  if (m.layout() == at::kSparseCsr) return sparse_products(m, x, w);
  if (m.dim() == 2 || m.scalar_type() != at::kDouble || !m.is_cpu())
    return {times(m, x), times(m.transpose(-2, -1), w)};
  const at::Tensor both = stacked_products(m, x, w);
  return {both.narrow(1, 0, m.size(1)), both.narrow(1, m.size(1), m.size(2))};
}

}  // namespace stillpoint::detail
