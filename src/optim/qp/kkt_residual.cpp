#include "optim/qp/kkt_residual.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/layer_node.h"
#include "optim/qp/both_products.h"
#include "optim/qp/fused_kkt.h"

namespace stillpoint::detail {
namespace {

using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

at::Tensor x_of(const ProgramLayout& layout, const at::Tensor& state) {
  return state.narrow(1, 0, layout.unknowns);
}
at::Tensor rows_of(const ProgramLayout& layout, const at::Tensor& state) {
  return state.narrow(1, layout.unknowns, layout.rows());
}
at::Tensor y_of(const ProgramLayout& layout, const at::Tensor& state) {
  return state.narrow(1, layout.unknowns + layout.rows(), layout.equalities);
}

// The conditions without p, s, h and b, which are linear and symmetric: Qx + G'a + A'y, Gx and Ax, where Q
// stands for its symmetric part, and the bounds are rows of G.
struct LinearPart {
  at::Tensor unknowns, rows, equalities;
};

LinearPart linear_part(const KktTerms& terms, const at::Tensor& x, const at::Tensor& a, const at::Tensor& y) {
  const auto& [parts, layout, batch, open, mu] = terms;
  LinearPart result{at::zeros_like(x), {}, at::zeros_like(y)};
  std::vector<at::Tensor> rows = {at::zeros({batch, 0}, x.options())};
  if (parts.Q.defined()) {
    const BothProducts q = both_products(parts.Q, x, x);
    result.unknowns = result.unknowns + (q.forward + q.transposed) / 2;
  }
  if (layout.general > 0) {
    const BothProducts g = both_products(parts.G, x, a.narrow(1, 0, layout.general));
    result.unknowns = result.unknowns + g.transposed;
    rows.push_back(g.forward);
  }
  if (layout.lower > 0) {
    result.unknowns = result.unknowns - a.narrow(1, layout.general, layout.lower);
    rows.push_back(-x);
  }
  if (layout.upper > 0) {
    result.unknowns = result.unknowns + a.narrow(1, layout.general + layout.lower, layout.upper);
    rows.push_back(x);
  }
  if (layout.equalities > 0) {
    const BothProducts of_a = both_products(parts.A, x, y);
    result.unknowns = result.unknowns + of_a.transposed;
    result.equalities = of_a.forward;
  }
  result.rows = at::cat(rows, 1);
  return result;
}

// h, −lower and upper.
at::Tensor sides(const KktTerms& terms, const at::TensorOptions& options) {
  const auto& [parts, layout, batch, open, mu] = terms;
  std::vector<at::Tensor> all = {at::zeros({batch, 0}, options)};
  if (layout.general > 0) all.push_back(parts.h.expand({batch, layout.general}));
  if (layout.lower > 0) all.push_back(-parts.lower.expand({batch, layout.lower}));
  if (layout.upper > 0) all.push_back(parts.upper.expand({batch, layout.upper}));
  return at::cat(all, 1);
}

at::Tensor conditions(const KktTerms& terms, const at::Tensor& state) {
  const at::Tensor w = rows_of(terms.layout, state);
  const auto [z, s] = terms.pair(w);
  LinearPart r = linear_part(terms, x_of(terms.layout, state), z, y_of(terms.layout, state));
  if (terms.parts.p.defined()) r.unknowns = r.unknowns + terms.parts.p;
  if (terms.parts.b.defined()) r.equalities = r.equalities - terms.parts.b;
  r.rows = at::where(terms.open, -1 - w, r.rows + s - sides(terms, state.options()));
  return at::cat({r.unknowns, r.rows, r.equalities}, 1);
}

// dz/dw, without a barrier.
at::Tensor share(const KktTerms& terms, const at::Tensor& w) {
  return ((w >= 0) & ~terms.open).to(w.scalar_type());
}

at::Tensor state_gradient(const KktTerms& terms, const at::Tensor& state, const at::Tensor& v) {
  const at::Tensor of_rows = rows_of(terms.layout, v);
  const at::Tensor reach = of_rows.masked_fill(terms.open, 0);
  const LinearPart r = linear_part(terms, x_of(terms.layout, v), reach, y_of(terms.layout, v));
  const at::Tensor of_w = share(terms, rows_of(terms.layout, state)) * (r.rows + reach) - of_rows;
  return at::cat({r.unknowns, of_w, r.equalities}, 1);
}

// a x' + w c', in the shape of `part`, which may be one for all samples.
at::Tensor outer(const at::Tensor& part, const at::Tensor& a, const at::Tensor& x, const at::Tensor& w,
                 const at::Tensor& c) {
  if (part.dim() == 2) return at::matmul(at::cat({a, w}).t(), at::cat({x, c}));
  return at::matmul(at::stack({a, w}, 2), at::stack({x, c}, 1));
}

at::Tensor summed(const at::Tensor& part, const at::Tensor& gradient) {
  return part.dim() == 1 ? gradient.sum(0) : gradient;
}

// Of the parts in the order of `parts_of`, those that are wanted.
std::array<at::Tensor, kParts> part_gradients(const KktTerms& terms, const at::Tensor& state,
                                              const at::Tensor& v, const WantedParts& wanted) {
  const auto& [parts, layout, batch, open, mu] = terms;
  const at::Tensor x = x_of(layout, state);
  const at::Tensor y = y_of(layout, state);
  const at::Tensor of_x = x_of(layout, v);
  const at::Tensor of_y = y_of(layout, v);
  const at::Tensor reach = rows_of(layout, v).masked_fill(open, 0);
  const at::Tensor of_general = reach.narrow(1, 0, layout.general);
  std::array<at::Tensor, kParts> result;
  if (wanted[kQ]) result[kQ] = outer(parts.Q, of_x / 2, x, x / 2, of_x);
  if (wanted[kP]) result[kP] = summed(parts.p, of_x);
  if (wanted[kG]) {
    const at::Tensor z = terms.pair(rows_of(layout, state)).dual.narrow(1, 0, layout.general);
    result[kG] = outer(parts.G, z, of_x, of_general, x);
  }
  if (wanted[kH]) result[kH] = -summed(parts.h, of_general);
  if (wanted[kA]) result[kA] = outer(parts.A, y, of_x, of_y, x);
  if (wanted[kB]) result[kB] = -summed(parts.b, of_y);
  if (wanted[kLower]) result[kLower] = summed(parts.lower, reach.narrow(1, layout.general, layout.lower));
  if (wanted[kUpper])
    result[kUpper] = -summed(parts.upper, reach.narrow(1, layout.general + layout.lower, layout.upper));
  return result;
}

// What it keeps of the parts is told from what was edited in place since.
class SavedConditions : public Saved {
 public:
  SavedConditions(const KktTerms& terms, const at::Tensor& state) : terms_(terms), state_(state, false) {
    const auto parts = parts_of(terms_.parts);
    for (std::size_t i = 0; i < kParts; ++i) {
      if (parts[i]->defined()) saved_[i] = SavedVariable(*parts[i], /*is_output=*/false);
    }
    terms_.parts = {};
  }

  // The node's first edge is that of the state; those of the parts follow, undefined ones left out.
  variable_list differentiate(const std::shared_ptr<Node>& node, const at::Tensor& v) const override {
    KktTerms terms = terms_;
    const auto parts = parts_of(terms.parts);
    WantedParts wanted = {};
    std::size_t edge = 1;
    for (std::size_t i = 0; i < kParts; ++i) {
      *parts[i] = saved_[i].unpack();
      if (parts[i]->defined()) wanted[i] = node->task_should_compute_output(edge++);
    }
    const at::Tensor state = state_.unpack();
    const bool fused = !at::GradMode::is_enabled() && fits_fused(state);
    variable_list result(1);
    if (node->task_should_compute_output(0))
      result[0] = fused ? fused_state_gradient(terms, state, v) : state_gradient(terms, state, v);
    const bool any = std::find(wanted.begin(), wanted.end(), true) != wanted.end();
    const auto gradients = !any    ? std::array<at::Tensor, kParts>()
                           : fused ? fused_part_gradients(terms, state, v, wanted)
                                   : part_gradients(terms, state, v, wanted);
    for (std::size_t i = 0; i < kParts; ++i) {
      if (parts[i]->defined()) result.push_back(gradients[i]);
    }
    return result;
  }

 private:
  KktTerms terms_;
  SavedVariable state_;
  std::array<SavedVariable, kParts> saved_;
};

bool is_sparse(const KktTerms& terms) {
  const auto parts = parts_of(terms.parts);
  return std::any_of(parts.begin(), parts.end(), [](const at::Tensor* part) {
    return part->defined() && part->layout() == at::kSparseCsr;
  });
}

}  // namespace

RowPair KktTerms::pair(const at::Tensor& w) const {
  // At w = 0 the derivative of max(w, 0) is taken to be one: weakly active rows count as active.
  if (!mu.defined()) {
    const at::Tensor z = w.clamp_min(0);
    return {z, z - w};
  }
  const at::Tensor root = (w * w + 4 * mu).sqrt();  // z + s
  const at::Tensor larger = (w.abs() + root) / 2;
  const at::Tensor smaller = mu / larger;
  const at::Tensor above = w > 0;
  return {at::where(above, larger, smaller).masked_fill(open, 0), at::where(above, smaller, larger)};
}

at::TensorOptions KktTerms::options() const {
  for (const at::Tensor* part : parts_of(parts)) {
    if (part->defined()) return part->options().layout(at::kStrided).requires_grad(false);
  }
  return {};
}

at::Tensor kkt_residual(const KktTerms& terms, const at::Tensor& state) {
  if (is_sparse(terms) || terms.mu.defined()) return conditions(terms, state);
  at::Tensor residual;
  {
    const at::NoGradGuard no_grad;
    residual = fits_fused(state) ? fused_conditions(terms, state) : conditions(terms, state);
  }
  if (!at::GradMode::is_enabled()) return residual;
  torch::autograd::edge_list edges = {torch::autograd::impl::gradient_edge(state)};
  for (const at::Tensor* part : parts_of(terms.parts)) {
    if (part->defined()) edges.push_back(torch::autograd::impl::gradient_edge(*part));
  }
  attach(residual, "StillpointProgram", std::move(edges), std::make_shared<SavedConditions>(terms, state));
  return residual;
}

}  // namespace stillpoint::detail
