#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace stillpoint {

/// The value of a function, and a product with its first or second derivative. The product has the shape of
/// the output (`jvp`) or of the input (all others).
struct Product {
  at::Tensor value;
  at::Tensor product;
};

/// The same for several inputs: one product each.
struct ListProduct {
  at::Tensor value;
  std::vector<at::Tensor> product;
};

// All that follows applies reverse mode, once or twice. So it goes through implicit layers and any C++
// autograd node, which LibTorch's forward mode does not. With `create_graph` the results can be
// differentiated further. What f ignores has a derivative of zero. Vectors have the shapes of what they stand
// for; a c10::Error names one that has not.
//
// Each product has three forms: of one tensor; of a list of tensors; and of parameters, leaves such as
// `module->parameters()`, which a function without arguments reads by itself.

/// f(x) and the directional derivative ∂f/∂x · v, for any shapes of x and f(x). Cost: about three evaluations
/// of f.
Product jvp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& v,
            bool create_graph = false);
Product jvp(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
            const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& v, bool create_graph = false);
Product jvp(const std::function<at::Tensor()>& f, const std::vector<at::Tensor>& parameters,
            const std::vector<at::Tensor>& v, bool create_graph = false);

/// f(x) and uᵀ ∂f/∂x, for u like f(x). Cost: about two evaluations of f.
Product vjp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& u,
            bool create_graph = false);
ListProduct vjp(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                const std::vector<at::Tensor>& x, const at::Tensor& u, bool create_graph = false);
ListProduct vjp(const std::function<at::Tensor()>& f, const std::vector<at::Tensor>& parameters,
                const at::Tensor& u, bool create_graph = false);

/// f(x), a single number, and its Hessian times v. Cost: about four evaluations of f.
Product hvp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& v,
            bool create_graph = false);
ListProduct hvp(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& v,
                bool create_graph = false);
ListProduct hvp(const std::function<at::Tensor()>& f, const std::vector<at::Tensor>& parameters,
                const std::vector<at::Tensor>& v, bool create_graph = false);

/// loss(f(x)), a single number, and the Gauss–Newton matrix Jᵀ H J times v, with J = ∂f/∂x and H the Hessian
/// of the loss in f. It is what remains of the Hessian where f is taken as linear, and positive semidefinite
/// where the loss is convex. Where the loss is a negative log-likelihood in the natural parameters of an
/// exponential family (cross entropy of logits, squares of means), it is the Fisher information. (Schraudolph
/// 2002, Neural Computation 14.) Cost: about five evaluations of f.
Product gauss_newton_product(const std::function<at::Tensor(const at::Tensor&)>& f,
                             const std::function<at::Tensor(const at::Tensor&)>& loss, const at::Tensor& x,
                             const at::Tensor& v, bool create_graph = false);
ListProduct gauss_newton_product(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                                 const std::function<at::Tensor(const at::Tensor&)>& loss,
                                 const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& v,
                                 bool create_graph = false);
ListProduct gauss_newton_product(const std::function<at::Tensor()>& f,
                                 const std::function<at::Tensor(const at::Tensor&)>& loss,
                                 const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& v,
                                 bool create_graph = false);

/// The log-likelihoods of samples, f(x) of any shape, and their empirical Fisher matrix Σ g gᵀ times v, where
/// g is the gradient of one of them. A sum over the samples, not a mean. Cost: about four evaluations of f.
Product fisher_product(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x,
                       const at::Tensor& v, bool create_graph = false);
ListProduct fisher_product(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                           const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& v,
                           bool create_graph = false);
ListProduct fisher_product(const std::function<at::Tensor()>& f, const std::vector<at::Tensor>& parameters,
                           const std::vector<at::Tensor>& v, bool create_graph = false);

/// ∂f/∂x, of the shape of f(x) followed by that of x; one for each x of a list. Cost: one evaluation of f,
/// and for each number of f(x) a backward pass through the same record; of one tensor without `create_graph`
/// these are replays of a `Tape`.
at::Tensor jacobian(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x,
                    bool create_graph = false);
std::vector<at::Tensor> jacobian(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                                 const std::vector<at::Tensor>& x, bool create_graph = false);
std::vector<at::Tensor> jacobian(const std::function<at::Tensor()>& f,
                                 const std::vector<at::Tensor>& parameters, bool create_graph = false);

/// The Hessian of a single number f(x), of the shape of x twice over; for a list its blocks, `[i][j]` of the
/// shape of x_i followed by that of x_j. Cost: one evaluation of f and its gradient, and for each number of x
/// a backward pass through the same record, as in `jacobian`.
at::Tensor hessian(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x,
                   bool create_graph = false);
std::vector<std::vector<at::Tensor>> hessian(
    const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f, const std::vector<at::Tensor>& x,
    bool create_graph = false);
std::vector<std::vector<at::Tensor>> hessian(const std::function<at::Tensor()>& f,
                                             const std::vector<at::Tensor>& parameters,
                                             bool create_graph = false);

}  // namespace stillpoint
