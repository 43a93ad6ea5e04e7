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

using torch::autograd::Edge;
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
  for (std::size_t j = 0; j < terms.size(); ++j) {
    const at::Tensor term = scaled(terms[j], coefficients, terms.size(), j);
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

at::Tensor fused_combine(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                         const std::vector<double>& coefficients) {
  const at::Tensor& like = base.defined() ? base : terms[0];
  at::Tensor out(at::detail::empty_cpu(like.sizes(), like.scalar_type()));
  const auto count = static_cast<std::int64_t>(terms.size());
  const bool alike = terms.empty() || coefficients.size() == terms.size();
  const std::int64_t rows = alike ? 1 : like.size(0);
  const std::int64_t width = alike ? like.numel() : row_width(like);
  AT_DISPATCH_FLOATING_TYPES(like.scalar_type(), "combine", [&] {
    const scalar_t* const from = base.defined() ? base.data_ptr<scalar_t>() : nullptr;
    for (std::int64_t b = 0; b < rows; ++b) {
      row_kernels<scalar_t>().add_scaled(
          pointers<scalar_t>(terms, b * width).data(), count, coefficients.data() + b * count,
          from == nullptr ? nullptr : from + b * width, width, out.data_ptr<scalar_t>() + b * width);
    }
  });
  return out;
}

// One pass over all numbers, whether rows have one s or each their own: the same numbers come out.
template <class T>
void add_scaled_rows(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                     const std::vector<double>& weights, const std::vector<double>& scales, at::Tensor& out) {
  const bool one = scales.size() == 1;
  const std::int64_t width = one ? 1 : row_width(base);
  std::vector<T> scale(scales.size() * width);
  for (std::size_t b = 0; b < scales.size(); ++b)
    std::fill_n(scale.begin() + static_cast<std::int64_t>(b) * width, width, static_cast<T>(scales[b]));
  row_kernels<T>().add_scaled_rows(pointers<T>(terms, 0).data(), static_cast<std::int64_t>(terms.size()),
                                   weights.data(), scale.data(), one, base.data_ptr<T>(), base.numel(),
                                   out.data_ptr<T>());
}

std::vector<double> outer(const std::vector<double>& scales, const std::vector<double>& weights) {
  std::vector<double> products;
  products.reserve(scales.size() * weights.size());
  for (const double s : scales) {
    for (const double w : weights) products.push_back(s * w);
  }
  return products;
}

at::Tensor combine_values(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                          const std::vector<double>& coefficients) {
  return has_kernels(base.defined() ? base : terms[0], terms) ? fused_combine(base, terms, coefficients)
                                                              : plain_combine(base, terms, coefficients);
}

// Of a tensor that several sums share. Each has an input of its own, with the coefficients it applied.
class SharedNode : public Node {
 public:
  explicit SharedNode(Edge next) : Node(edge_list{std::move(next)}) {}

  std::string name() const override { return "StillpointShared"; }

  Edge share(const at::Tensor& t, std::vector<double> coefficients) {
    coefficients_.push_back(std::move(coefficients));
    return {shared_from_this(), add_input_metadata(t)};
  }

  variable_list apply(variable_list&& gradients) override {
    std::size_t widest = 1;
    for (const auto& of_input : coefficients_) widest = std::max(widest, of_input.size());
    std::vector<std::size_t> inputs;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (gradients[i].defined()) inputs.push_back(i);
    }
    at::Tensor sum;
    for (std::size_t first = 0; first < inputs.size(); first += kMaxTerms) {
      const std::size_t last = std::min(first + kMaxTerms, inputs.size());
      std::vector<at::Tensor> terms;
      for (std::size_t i = first; i < last; ++i) terms.push_back(gradients[inputs[i]].contiguous());
      std::vector<double> coefficients;
      for (std::size_t b = 0; b < widest; ++b) {
        for (std::size_t i = first; i < last; ++i) {
          const std::vector<double>& own = coefficients_[inputs[i]];
          coefficients.push_back(own.size() == 1 ? own[0] : own[b]);
        }
      }
      sum = combine(sum, terms, coefficients);
    }
    return {sum};
  }

 private:
  std::vector<std::vector<double>> coefficients_;  // of each input: one number, or one a sample
};

class CombineNode : public Node {
 public:
  CombineNode(std::vector<double> coefficients, edge_list edges, std::vector<bool> plain)
      : Node(std::move(edges)), coefficients_(std::move(coefficients)), plain_(std::move(plain)) {}

  std::string name() const override { return "StillpointCombine"; }

  variable_list apply(variable_list&& gradients) override {
    variable_list result(num_outputs());
    const at::Tensor& g = gradients[0];
    if (!g.defined()) return result;
    for (std::size_t j = 0; j < result.size(); ++j) {
      if (!next_edge(j).is_valid()) continue;
      result[j] = plain_[j] ? g : scaled(g, coefficients_, result.size() - 1, j - 1);
    }
    return result;
  }

 private:
  std::vector<double> coefficients_;
  std::vector<bool> plain_;  // of each edge: whether the gradient goes there as it comes
};

SharedNode* shared_node(const at::Tensor& t) {
  return t.requires_grad() ? dynamic_cast<SharedNode*>(t.grad_fn().get()) : nullptr;
}

bool is_recorded(const at::Tensor& base, const std::vector<at::Tensor>& terms) {
  if (!at::GradMode::is_enabled()) return false;
  if (base.defined() && base.requires_grad()) return true;
  return std::any_of(terms.begin(), terms.end(), [](const at::Tensor& t) { return t.requires_grad(); });
}

}  // namespace

at::Tensor shared(const at::Tensor& t) {
  if (!at::GradMode::is_enabled() || !t.requires_grad()) return t;
  at::Tensor out = t.detach();
  const std::shared_ptr<SharedNode> node(new SharedNode(torch::autograd::impl::gradient_edge(t)),
                                         torch::autograd::deleteNode);
  torch::autograd::impl::set_gradient_edge(out, node->share(out, {1.0}));
  return out;
}

namespace {

// Gives a sum its derivatives.
at::Tensor attach(at::Tensor out, const at::Tensor& base, const std::vector<at::Tensor>& terms,
                  const std::vector<double>& coefficients) {
  edge_list edges;
  std::vector<bool> plain;
  const auto connect = [&](const at::Tensor& t, std::vector<double> own) {
    SharedNode* const node = t.defined() ? shared_node(t) : nullptr;
    plain.push_back(node != nullptr || edges.empty());
    if (node != nullptr) {
      edges.push_back(node->share(t, std::move(own)));
    } else {
      edges.push_back(t.defined() ? torch::autograd::impl::gradient_edge(t) : Edge{});
    }
  };
  connect(base, {1.0});
  for (std::size_t j = 0; j < terms.size(); ++j) {
    std::vector<double> own;
    for (std::size_t i = j; i < coefficients.size(); i += terms.size()) own.push_back(coefficients[i]);
    connect(terms[j], std::move(own));
  }
  const std::shared_ptr<Node> node(new CombineNode(coefficients, std::move(edges), std::move(plain)),
                                   torch::autograd::deleteNode);
  torch::autograd::create_gradient_edge(out, node);
  return out;
}

}  // namespace

at::Tensor combine(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                   const std::vector<double>& coefficients) {
  if (!is_recorded(base, terms)) return combine_values(base, terms, coefficients);
  const at::AutoGradMode off(false);
  at::Tensor out = combine_values(base, terms, coefficients);
  return attach(std::move(out), base, terms, coefficients);
}

at::Tensor combine(const at::Tensor& base, const std::vector<at::Tensor>& terms,
                   const std::vector<double>& weights, const std::vector<double>& scales) {
  if (terms.empty() || scales.empty() || !has_kernels(base, terms))
    return combine(base, terms, outer(scales, weights));
  const bool recorded = is_recorded(base, terms);
  const at::AutoGradMode off(false);
  at::Tensor out(at::detail::empty_cpu(base.sizes(), base.scalar_type()));
  AT_DISPATCH_FLOATING_TYPES(base.scalar_type(), "combine",
                             [&] { add_scaled_rows<scalar_t>(base, terms, weights, scales, out); });
  return recorded ? attach(std::move(out), base, terms, outer(scales, weights)) : out;
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

std::vector<double> error_norms(const std::vector<at::Tensor>& terms, const std::vector<double>& weights,
                                const std::vector<double>& scales, const at::Tensor& y,
                                const at::Tensor& next, double absolute, double relative) {
  const std::int64_t width = row_width(y);
  if (width == 0) return std::vector<double>(y.size(0), 0.0);
  if (!has_kernels(y, terms))
    return plain_error_norms(terms, outer(scales, weights), y, next, absolute, relative);
  std::vector<double> norms(y.size(0));
  AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "error_norms", [&] {
    row_kernels<scalar_t>().error_squares(
        pointers<scalar_t>(terms, 0).data(), static_cast<std::int64_t>(terms.size()), weights.data(),
        scales.data(), scales.size() == 1 ? 0 : 1, y.data_ptr<scalar_t>(), next.data_ptr<scalar_t>(),
        absolute, relative, y.size(0), width, norms.data());
  });
  for (double& norm : norms) norm = std::sqrt(norm / static_cast<double>(width));
  return norms;
}

}  // namespace stillpoint::detail
