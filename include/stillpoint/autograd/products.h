#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace stillpoint {

/// A value of a function and a product with its first or second derivative, of the shapes of the outputs
/// (`jvp`) or inputs (`hvp`).
struct Product {
  at::Tensor value;
  at::Tensor product;
};

/// f(x) and the directional derivative ∂f/∂x · v, for any shapes of x and f(x); v has the shape of x.
///
/// Reverse mode applied twice, hence it goes through implicit layers and any C++ autograd node, which
/// LibTorch's forward mode does not. With `create_graph` both can be differentiated further. Cost: about
/// three evaluations of f. A derivative that is zero because f ignores x comes back as zeros.
Product jvp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& v,
            bool create_graph = false);

/// f(x), a single number, and its Hessian times v; x and v of the same shape. Cost: about four evaluations of
/// f.
Product hvp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& v,
            bool create_graph = false);

}  // namespace stillpoint
