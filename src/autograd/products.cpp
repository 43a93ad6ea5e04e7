#include "stillpoint/autograd/products.h"

#include <ATen/Functions.h>

#include <functional>
#include <utility>

#include "autograd/reverse_mode.h"
#include "core/check.h"
#include "stillpoint/autograd/tape.h"

namespace stillpoint {
namespace {

using detail::reverse_mode::check_vectors;
using detail::reverse_mode::checked;
using detail::reverse_mode::evaluate_at;
using detail::reverse_mode::Evaluated;
using detail::reverse_mode::List;
using detail::reverse_mode::OfList;
using detail::reverse_mode::OfNothing;
using detail::reverse_mode::OfTensor;
using detail::reverse_mode::pull_back;
using detail::reverse_mode::Recording;
using detail::reverse_mode::slope;

// J v: uᵀJ is linear in u, and its derivative in the direction v is J v.
at::Tensor push_forward(const Evaluated& here, const List& v, bool create_graph) {
  const at::Tensor u = at::zeros_like(here.value).requires_grad_();
  const List pulled_back = pull_back({here.value}, here.inputs, {u}, true);
  return pull_back(pulled_back, {u}, v, create_graph)[0];
}

at::Tensor finished(const at::Tensor& t, bool create_graph) { return create_graph ? t : t.detach(); }

ListProduct finish(const at::Tensor& value, List product, bool create_graph) {
  for (at::Tensor& one : product) one = finished(one, create_graph);
  return {finished(value, create_graph), std::move(product)};
}

Product only(const ListProduct& of_one) { return {of_one.value, of_one.product[0]}; }

template <class F, class X>
Product jvp_of(const F& f, const X& x, const List& v, bool create_graph) {
  const Recording recording;
  const Evaluated here = evaluate_at(f, x);
  check_vectors(v, here.inputs);
  return only(finish(here.value, {push_forward(here, v, create_graph)}, create_graph));
}

template <class F, class X>
ListProduct vjp_of(const F& f, const X& x, const at::Tensor& u, bool create_graph) {
  const Recording recording;
  const Evaluated here = evaluate_at(f, x);
  detail::check_like("u", u, here.value);
  return finish(here.value, pull_back({here.value}, here.inputs, {u}, create_graph), create_graph);
}

template <class F, class X>
ListProduct hvp_of(const F& f, const X& x, const List& v, bool create_graph) {
  const Recording recording;
  const Evaluated here = evaluate_at(f, x);
  check_vectors(v, here.inputs);
  return finish(here.value, pull_back(slope(here), here.inputs, v, create_graph), create_graph);
}

template <class F, class X>
ListProduct gauss_newton_of(const F& f, const OfTensor& loss, const X& x, const List& v, bool create_graph) {
  const Recording recording;
  const Evaluated here = evaluate_at(f, x);
  check_vectors(v, here.inputs);
  const at::Tensor along = push_forward(here, v, create_graph);
  // The loss on its own, so that its derivatives end at the output of f.
  const at::Tensor output = create_graph && here.value.requires_grad() ? here.value.view_as(here.value)
                                                                       : here.value.detach().requires_grad_();
  const Evaluated outer{{output}, loss(output)};
  const at::Tensor bent = pull_back(slope(outer), {output}, {along}, create_graph)[0];
  return finish(outer.value, pull_back({here.value}, here.inputs, {bent}, create_graph), create_graph);
}

template <class F, class X>
ListProduct fisher_of(const F& f, const X& x, const List& v, bool create_graph) {
  const Recording recording;
  const Evaluated here = evaluate_at(f, x);
  check_vectors(v, here.inputs);
  const at::Tensor along = push_forward(here, v, create_graph);
  return finish(here.value, pull_back({here.value}, here.inputs, {along}, create_graph), create_graph);
}

// For each number of y a list like x, put together: for each x, of the shape of y followed by that of x.
List stacked(const at::Tensor& y, const List& x, const std::function<List(const at::Tensor& v)>& row_of) {
  std::vector<List> rows(x.size());
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    const at::Tensor single = at::zeros(y.sizes(), y.options());
    single.view({-1})[i].fill_(1);
    const List row = row_of(single);
    for (std::size_t j = 0; j < x.size(); ++j) rows[j].push_back(row[j]);
  }
  List result;
  result.reserve(x.size());
  for (std::size_t j = 0; j < x.size(); ++j) {
    std::vector<std::int64_t> shape = y.sizes().vec();
    shape.insert(shape.end(), x[j].sizes().begin(), x[j].sizes().end());
    const bool none = rows[j].empty();
    result.push_back(none ? at::zeros(shape, x[j].options()) : at::stack(rows[j]).reshape(shape));
  }
  return result;
}

List derivatives_of(const at::Tensor& y, const List& x, bool create_graph) {
  return stacked(y, x, [&](const at::Tensor& v) {
    List row = pull_back({y}, x, {v}, create_graph);
    for (at::Tensor& one : row) one = finished(one, create_graph);
    return row;
  });
}

template <class F, class X>
List jacobian_of(const F& f, const X& x, bool create_graph) {
  const Recording recording;
  const Evaluated here = evaluate_at(f, x);
  return derivatives_of(here.value, here.inputs, create_graph);
}

template <class F, class X>
std::vector<List> hessian_of(const F& f, const X& x, bool create_graph) {
  const Recording recording;
  const Evaluated here = evaluate_at(f, x);
  const List gradient = slope(here);
  std::vector<List> blocks;
  blocks.reserve(gradient.size());
  for (const at::Tensor& part : gradient) {
    blocks.push_back(derivatives_of(part, here.inputs, create_graph));
  }
  return blocks;
}

// The Jacobian of a function of one tensor, by replays of a tape, which spend less between nodes.
at::Tensor replayed_jacobian(const OfTensor& f, const at::Tensor& x) {
  const Recording recording;
  const Tape tape(f, x);
  return stacked(tape.value(), {x}, [&](const at::Tensor& v) { return List{tape.vjp(v)}; })[0];
}

}  // namespace

Product jvp(const OfTensor& f, const at::Tensor& x, const at::Tensor& v, bool create_graph) {
  detail::check_like("v", v, x);
  return jvp_of(f, x, {v}, create_graph);
}
Product jvp(const OfList& f, const List& x, const List& v, bool create_graph) {
  return jvp_of(f, x, v, create_graph);
}
Product jvp(const OfNothing& f, const List& parameters, const List& v, bool create_graph) {
  return jvp_of(f, parameters, v, create_graph);
}

Product vjp(const OfTensor& f, const at::Tensor& x, const at::Tensor& u, bool create_graph) {
  return only(vjp_of(f, x, u, create_graph));
}
ListProduct vjp(const OfList& f, const List& x, const at::Tensor& u, bool create_graph) {
  return vjp_of(f, x, u, create_graph);
}
ListProduct vjp(const OfNothing& f, const List& parameters, const at::Tensor& u, bool create_graph) {
  return vjp_of(f, parameters, u, create_graph);
}

Product hvp(const OfTensor& f, const at::Tensor& x, const at::Tensor& v, bool create_graph) {
  detail::check_like("v", v, x);
  return only(hvp_of(f, x, {v}, create_graph));
}
ListProduct hvp(const OfList& f, const List& x, const List& v, bool create_graph) {
  return hvp_of(f, x, v, create_graph);
}
ListProduct hvp(const OfNothing& f, const List& parameters, const List& v, bool create_graph) {
  return hvp_of(f, parameters, v, create_graph);
}

Product gauss_newton_product(const OfTensor& f, const OfTensor& loss, const at::Tensor& x,
                             const at::Tensor& v, bool create_graph) {
  detail::check_like("v", v, x);
  return only(gauss_newton_of(f, loss, x, {v}, create_graph));
}
ListProduct gauss_newton_product(const OfList& f, const OfTensor& loss, const List& x, const List& v,
                                 bool create_graph) {
  return gauss_newton_of(f, loss, x, v, create_graph);
}
ListProduct gauss_newton_product(const OfNothing& f, const OfTensor& loss, const List& parameters,
                                 const List& v, bool create_graph) {
  return gauss_newton_of(f, loss, parameters, v, create_graph);
}

Product fisher_product(const OfTensor& f, const at::Tensor& x, const at::Tensor& v, bool create_graph) {
  detail::check_like("v", v, x);
  return only(fisher_of(f, x, {v}, create_graph));
}
ListProduct fisher_product(const OfList& f, const List& x, const List& v, bool create_graph) {
  return fisher_of(f, x, v, create_graph);
}
ListProduct fisher_product(const OfNothing& f, const List& parameters, const List& v, bool create_graph) {
  return fisher_of(f, parameters, v, create_graph);
}

at::Tensor jacobian(const OfTensor& f, const at::Tensor& x, bool create_graph) {
  return create_graph ? jacobian_of(f, x, true)[0]
                      : replayed_jacobian([&](const at::Tensor& at) { return checked(f(at)); }, x);
}
List jacobian(const OfList& f, const List& x, bool create_graph) { return jacobian_of(f, x, create_graph); }
List jacobian(const OfNothing& f, const List& parameters, bool create_graph) {
  return jacobian_of(f, parameters, create_graph);
}

at::Tensor hessian(const OfTensor& f, const at::Tensor& x, bool create_graph) {
  if (create_graph) return hessian_of(f, x, true)[0][0];
  // The alias that a tape hands to f is already part of a graph, in which the gradient keeps its place.
  return replayed_jacobian([&](const at::Tensor& at) { return slope({{at}, checked(f(at))})[0]; }, x);
}
std::vector<List> hessian(const OfList& f, const List& x, bool create_graph) {
  return hessian_of(f, x, create_graph);
}
std::vector<List> hessian(const OfNothing& f, const List& parameters, bool create_graph) {
  return hessian_of(f, parameters, create_graph);
}

}  // namespace stillpoint
