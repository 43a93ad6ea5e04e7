#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace stillpoint {

/// The value of a function, and a product with its first or second derivative. The product has the shape of
/// the output (`jvp`) or of the input (`hvp`).
struct Product {
  at::Tensor value;
  at::Tensor product;
};

/// f(x) and the directional derivative ∂f/∂x · v, for any shapes of x and f(x). v has the shape of x.
///
/// This applies reverse mode twice. So it goes through implicit layers and any C++ autograd node, which
/// LibTorch's forward mode does not. With `create_graph`, both results can be differentiated further. If f
/// ignores x, the derivative comes back as zeros. Cost: about three evaluations of f.
Product jvp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& v,
            bool create_graph = false);

/// f(x), a single number, and its Hessian times v. x and v have the same shape. Cost: about four evaluations
/// of f.
Product hvp(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const at::Tensor& v,
            bool create_graph = false);

}  // namespace stillpoint
