#include "ode/combine.h"

#include <ATen/Dispatch.h>
#include <ATen/EmptyTensor.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "core/rows/rows.h"

namespace stillpoint::detail {
namespace {

using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::variable_list;

constexpr std::size_t kMaxTerms = 32;

bool has_kernels(const at::Tensor& base, const std::vector<at::Tensor>& terms) {
  return has_row_kernels(base) && terms.size() <= kMaxTerms;
}

template <class T>
std::array<const T*, kMaxTerms> pointers(const std::vector<at::Tensor>& terms, std::int64_t offset) {
  std::array<const T*, kMaxTerms> all;
  for (std::size_t j = 0; j < terms.size(); ++j) all[j] = static_cast<const T*>(terms[j].data_ptr()) + offset;
  return all;
}

// One number a sample, for term j of rows of coefficients.
at::Tensor column_of(const std::vector<double>& coefficients, std::size_t count, std::size_t j,
                     const at::Tensor& like) {
  std::vector<double> column;
  for (std::size_t i = j; i < coefficients.size(); i += count) column.push_back(coefficients[i]);
  return as_column(at::tensor(column, at::kDouble), like)
      .to(like.device(), c10::toRealValueType(like.scalar_type()));
}

at::Tensor scaled(const at::Tensor& t, const std::vector<double>& coefficients, std::size_t count,
                  std::size_t j) {
  if (coefficients.size() == count) return t * coefficients[j];
  return t * column_of(coefficients, count, j, t);
}

at::Tensor plain_combine(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                         const std::vector<double>& coefficients) {
  at::Tensor sum = base;
  for (std::size_t j = 0; j < terms.size(); ++j) sum = sum + scaled(terms[j], coefficients, terms.size(), j);
  return sum;
}

at::Tensor fused_combine(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                         const std::vector<double>& coefficients) {
  at::Tensor out(at::detail::empty_cpu(base.sizes(), base.scalar_type()));
  const auto count = static_cast<std::int64_t>(terms.size());
  const bool shared = terms.empty() || coefficients.size() == terms.size();
  const std::int64_t rows = shared ? 1 : base.size(0);
  const std::int64_t width = shared ? base.numel() : row_width(base);
  AT_DISPATCH_FLOATING_TYPES(base.scalar_type(), "combine", [&] {
    for (std::int64_t b = 0; b < rows; ++b) {
      row_kernels<scalar_t>().add_scaled(
          pointers<scalar_t>(terms, b * width).data(), count, coefficients.data() + b * count,
          base.data_ptr<scalar_t>() + b * width, width, out.data_ptr<scalar_t>() + b * width);
    }
  });
  return out;
}

at::Tensor combine_values(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                          const std::vector<double>& coefficients) {
  return has_kernels(base, terms) ? fused_combine(base, terms, coefficients)
                                  : plain_combine(base, terms, coefficients);
}

class CombineNode : public Node {
 public:
  CombineNode(std::vector<double> coefficients, edge_list edges)
      : Node(std::move(edges)), coefficients_(std::move(coefficients)) {}

  std::string name() const override { return "StillpointCombine"; }

  variable_list apply(variable_list&& gradients) override {
    variable_list result(num_outputs());
    const at::Tensor& g = gradients[0];
    if (!g.defined()) return result;
    if (next_edge(0).is_valid()) result[0] = g;
    const std::size_t count = result.size() - 1;
    for (std::size_t j = 0; j < count; ++j) {
      if (next_edge(j + 1).is_valid()) result[j + 1] = scaled(g, coefficients_, count, j);
    }
    return result;
  }

 private:
  std::vector<double> coefficients_;
};

}  // namespace

at::Tensor combine(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                   const std::vector<double>& coefficients) {
  const bool recorded = at::GradMode::is_enabled() && torch::autograd::any_variable_requires_grad([&] {
                          variable_list all = terms;
                          all.push_back(base);
                          return all;
                        }());
  if (!recorded) return combine_values(base, terms, coefficients);
  at::Tensor out;
  {
    const at::NoGradGuard no_grad;
    out = combine_values(base, terms, coefficients);
  }
  edge_list edges{torch::autograd::impl::gradient_edge(base)};
  for (const at::Tensor& term : terms) edges.push_back(torch::autograd::impl::gradient_edge(term));
  const std::shared_ptr<Node> node(new CombineNode(coefficients, std::move(edges)),
                                   torch::autograd::deleteNode);
  torch::autograd::create_gradient_edge(out, node);
  return out;
}

namespace {

std::vector<double> plain_error_norms(const std::vector<at::Tensor>& terms,
                                      const std::vector<double>& coefficients, const at::Tensor& y,
                                      const at::Tensor& next, double absolute, double relative) {
  const at::ScalarType wide =
      y.scalar_type() == at::kDouble || y.scalar_type() == at::kComplexDouble ? at::kDouble : at::kFloat;
  const double least =
      wide == at::kDouble ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
  const at::Tensor e = plain_combine(next - next, terms, coefficients).abs().to(wide);
  const at::Tensor scale = at::maximum(y.abs(), next.abs()).to(wide) * relative + (absolute + least);
  const at::Tensor rows = (e / scale).reshape({y.size(0), row_width(y)});
  return to_host(rows.square().mean(1).sqrt());
}

}  // namespace

std::vector<double> error_norms(const std::vector<at::Tensor>& terms, const std::vector<double>& coefficients,
                                const at::Tensor& y, const at::Tensor& next, double absolute,
                                double relative) {
  const std::int64_t width = row_width(y);
  if (width == 0) return std::vector<double>(y.size(0), 0.0);
  if (!has_kernels(y, terms)) return plain_error_norms(terms, coefficients, y, next, absolute, relative);
  std::vector<double> norms(y.size(0));
  const auto count = static_cast<std::int64_t>(terms.size());
  const std::int64_t stride = coefficients.size() == terms.size() ? 0 : count;
  AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "error_norms", [&] {
    for (std::int64_t b = 0; b < y.size(0); ++b) {
      const double sum = row_kernels<scalar_t>().error_square(
          pointers<scalar_t>(terms, b * width).data(), count, coefficients.data() + b * stride,
          y.data_ptr<scalar_t>() + b * width, next.data_ptr<scalar_t>() + b * width, absolute, relative,
          width);
      norms[b] = std::sqrt(sum / static_cast<double>(width));
    }
  });
  return norms;
}

}  // namespace stillpoint::detail
