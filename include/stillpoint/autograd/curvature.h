#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace stillpoint {

/// A symmetric matrix of second derivatives at one point, known by its products with vectors, as conjugate
/// gradients and trust regions ask for them. What makes the products is recorded once; each is then one
/// backward pass through the record, without another evaluation of f.
///
/// It holds the graph of one evaluation of f and of its gradient. Products may be asked for by several
/// threads. What f read (parameters, data) must not be edited in place while it lives: LibTorch throws where
/// it sees that. Products are not differentiable; `hvp` and its like are.
class Curvature {
 public:
  using Products = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& v)>;

  /// A matrix of your own, at a point where a function has this value and this gradient.
  Curvature(at::Tensor value, std::vector<at::Tensor> gradient, Products products);

  /// What the function was at this point.
  const at::Tensor& value() const { return value_; }
  /// Its gradient, for each input.
  const std::vector<at::Tensor>& gradient() const { return gradient_; }

  /// The matrix times v, which has a tensor like each input.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& v) const;
  /// The same where there is one input.
  at::Tensor operator()(const at::Tensor& v) const;

 private:
  at::Tensor value_;
  std::vector<at::Tensor> gradient_;
  Products products_;
};

// Each has three forms: of one tensor; of a list of tensors; and of parameters, leaves such as
// `module->parameters()`, which a function without arguments reads by itself. All go through implicit layers.
// A c10::Error names what is wrong with f or v.

/// The Hessian of a single number f(x). Cost: an evaluation of f and its gradient, recorded; a product costs
/// one to two times as much as that gradient.
Curvature hessian_at(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x);
Curvature hessian_at(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                     const std::vector<at::Tensor>& x);
Curvature hessian_at(const std::function<at::Tensor()>& f, const std::vector<at::Tensor>& parameters);

/// The Gauss–Newton matrix Jᵀ H J of loss(f(x)), see `gauss_newton_product`; value and gradient are those of
/// loss(f(x)). Cost: an evaluation of both and their gradients, recorded; a product costs about as much as
/// two backward passes through f, and one through the gradient of the loss.
Curvature gauss_newton_at(const std::function<at::Tensor(const at::Tensor&)>& f,
                          const std::function<at::Tensor(const at::Tensor&)>& loss, const at::Tensor& x);
Curvature gauss_newton_at(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                          const std::function<at::Tensor(const at::Tensor&)>& loss,
                          const std::vector<at::Tensor>& x);
Curvature gauss_newton_at(const std::function<at::Tensor()>& f,
                          const std::function<at::Tensor(const at::Tensor&)>& loss,
                          const std::vector<at::Tensor>& parameters);

/// The empirical Fisher matrix Σ g gᵀ of log-likelihoods f(x), of any shape, see `fisher_product`; the value
/// is f(x), and the gradient that of its sum. Cost: an evaluation of f and its gradient, recorded; a product
/// costs about as much as two backward passes through f.
Curvature fisher_at(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x);
Curvature fisher_at(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                    const std::vector<at::Tensor>& x);
Curvature fisher_at(const std::function<at::Tensor()>& f, const std::vector<at::Tensor>& parameters);

}  // namespace stillpoint
