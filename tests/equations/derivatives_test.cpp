// Derivatives of orders 1, 2 and 3 in everything a cell reads, for the kinds of cells there are. Each test is
// one call: see check_layer.
#include <gtest/gtest.h>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/layer_check.h"

namespace stillpoint::test {
namespace {

using Inputs = std::vector<Tensor>;

Tensor small_matrix(std::int64_t n = 3) {
  return normal({n, n}) * (0.25 / std::sqrt(static_cast<double>(n)));
}

// tanh(z W + x + b): weights, inputs and bias.
Tensor dense(const Solve& solve, const Inputs& in) {
  return solve([=](const Tensor& z) { return torch::tanh(torch::addmm(in[1], z, in[0]) + in[2]); },
               torch::zeros_like(in[1]));
}

std::vector<Input> dense_inputs() {
  return {shared(small_matrix()), per_sample(normal({2, 3})), shared(normal({3}))};
}

TEST(Derivatives, OfADenseCell) { check_layer(dense, dense_inputs(), {.orders = 3}); }

TEST(Derivatives, WithEveryLinearSolver) {
  check_layer(dense, dense_inputs(), {.variants = linear_solver_variants(), .orders = 3});
}

TEST(Derivatives, OfASymmetricCellByConjugateGradients) {
  // The Jacobian of tanh(z Wᵀ) W is symmetric, and smaller than 1 if W is: I − J is positive definite.
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        return solve(
            [=](const Tensor& z) { return torch::tanh(z.matmul(in[0].t())).matmul(in[0]) * 0.8 + in[1]; },
            torch::zeros_like(in[1]));
      },
      {shared(small_matrix() * 2), per_sample(normal({2, 3}))},
      {.variants = {implicit_variant("Cg", Anderson{}, Cg{})}, .orders = 3});
}

TEST(Derivatives, InTensorsUpstream) {
  // A captured tensor with a past, one made of another captured one, and an input captured twice.
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        const Tensor upstream = in[1].sin() * 2, of_upstream = upstream.square();
        return solve(
            [=](const Tensor& z) {
              return torch::tanh(z.matmul(in[0]) + upstream) * torch::sigmoid(of_upstream) +
                     in[1] * 0.1 * z.cos();
            },
            torch::zeros_like(in[1]));
      },
      {shared(small_matrix()), per_sample(normal({2, 3}))}, {.orders = 3});
}

TEST(Derivatives, InTheParametersOfAModule) {
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        torch::nn::Linear recurrent(torch::nn::LinearOptions(3, 3).bias(false)), outer(2, 3);
        recurrent->weight = in[0];
        outer->weight = in[1];
        outer->bias = in[2];
        return solve([=](const Tensor& z) mutable { return torch::tanh(recurrent(z) + outer(in[3])); },
                     zeros({in[3].size(0), 3}, in[3].scalar_type()));
      },
      {shared(small_matrix()), shared(normal({3, 2})), shared(normal({3})), per_sample(normal({2, 2}))},
      {.orders = 3});
}

TEST(Derivatives, OfATupleState) {
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        const TupleMap f = [=](const std::vector<Tensor>& z) {
          const Tensor mean = z[1].mean({1, 2}, false).unsqueeze(1);
          return std::vector<Tensor>{torch::tanh(z[0].matmul(in[0]) + mean + in[1]),
                                     0.4 * torch::sin(z[1] + z[0].unsqueeze(2).narrow(1, 0, 2)) * in[2]};
        };
        const auto state = solve(f, {torch::zeros_like(in[1]), torch::zeros_like(in[2])});
        return torch::cat({state[0], state[1].flatten(1)}, 1);
      },
      {shared(small_matrix()), per_sample(normal({2, 3})), per_sample(normal({2, 2, 2}))}, {.orders = 3});
}

TEST(Derivatives, OfAConvolutionalCell) {
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        return solve(
            [=](const Tensor& z) { return torch::tanh(torch::conv2d(z, in[0], in[1], 1, 1) + in[2]); },
            torch::zeros_like(in[2]));
      },
      {shared(normal({2, 2, 3, 3}) * 0.1), shared(normal({2})), per_sample(normal({2, 2, 3, 3}))},
      {.orders = 3});
}

TEST(Derivatives, OfALayerInsideALayer) {
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        // By value: a gradient rule may evaluate the inner cell when this one has returned.
        const auto inner = [solve, v = in[1]](const Tensor& z) {
          return solve([v, z](const Tensor& y) { return 0.5 * torch::sin(y.matmul(v) + z); },
                       torch::zeros_like(z));
        };
        return solve([=](const Tensor& z) { return torch::tanh(inner(z).matmul(in[0]) + in[2]); },
                     torch::zeros_like(in[2]));
      },
      {shared(small_matrix(2)), shared(small_matrix(2)), per_sample(normal({2, 2}))},
      {.variants = {implicit_variant("Picard", Picard{}), implicit_variant("Anderson", Anderson{}),
                    implicit_variant("Newton", Newton{}),
                    loop_variant("unrolled", Picard{}, UnrolledGradient{})},
       .orders = 3,
       .reference_steps = 25});
}

TEST(Derivatives, OfACellThatIgnoresItsState) {
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        return solve([=](const Tensor&) { return torch::tanh(in[0]).matmul(in[1]); },
                     torch::zeros_like(in[0]));
      },
      {per_sample(normal({2, 3})), shared(small_matrix())}, {.orders = 3, .reference_steps = 3});
}

// In backward passes of all orders, on views of views, with captured tensors and the state on either side.
TEST(Derivatives, OfACellThatEditsViewsInPlace) {
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        return solve(
            [=](const Tensor& z) {
              Tensor y = z.matmul(in[0]);
              const Tensor right = y.narrow(1, 1, 2);
              right.mul_(in[2].narrow(0, 0, 2)).select(1, 0).add_(in[1].select(1, 0));
              y.narrow(1, 0, 2).tanh_();
              Tensor shifted = in[1] * in[2];
              shifted.narrow(1, 0, 2).add_(0.2 * z.narrow(1, 1, 2));
              return torch::tanh(y) + 0.5 * shifted.sin() + 0.1 * right.sum(1, true);
            },
            torch::zeros_like(in[1]));
      },
      {shared(small_matrix()), per_sample(normal({2, 3})), shared(normal({3}))}, {.orders = 3});
}

TEST(Derivatives, OfASquareRoot) {
  // Heron's iteration: the Jacobian vanishes at the solution, its derivatives do not. The loop's derivatives
  // lag behind its value, which converges quadratically, so here the rules that stop with the value are left
  // out.
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        const Tensor a = in[0].square() + 1;
        return solve([=](const Tensor& z) { return 0.5 * (z + a / z); }, torch::ones_like(a));
      },
      {per_sample(normal({3, 1}))},
      {.variants = {implicit_variant("Picard", Picard{}), implicit_variant("Anderson", Anderson{}),
                    implicit_variant("Newton", Newton{})},
       .orders = 3,
       .reference_steps = 12});
}

TEST(Derivatives, OfStatesOfOneNumberAndOfMany) {
  const auto cell = [](const Solve& solve, const Inputs& in) {
    return solve([=](const Tensor& z) { return torch::cos(z * in[1]) * 0.5 + in[0]; },
                 torch::zeros_like(in[0]));
  };
  check_layer(cell, {per_sample(normal({3})), shared(vector({0.7}).squeeze())});
  check_layer(cell, {per_sample(normal({3, 1})), shared(vector({0.7}))});
  check_layer(cell, {per_sample(normal({2, 2, 2})), shared(normal({2, 2}) * 0.5)});
}

TEST(Derivatives, OfACellThatWritesInPlaceAndChangesDtypeInside) {
  check_layer(
      [](const Solve& solve, const Inputs& in) {
        return solve(
            [=](const Tensor& z) {
              Tensor y = z.matmul(in[0]);
              y.add_(in[1].to(at::kDouble).to(z.scalar_type()));
              y.narrow(1, 0, 1).mul_(0.5);
              return y.tanh_();
            },
            torch::zeros_like(in[1]));
      },
      {shared(small_matrix()), per_sample(normal({2, 3}))});
}

TEST(Derivatives, WithAProductByHand) {
  const Tensor w = small_matrix().requires_grad_(), x = normal({2, 3}).requires_grad_();
  const Map f = [&](const Tensor& z) { return torch::tanh(z.matmul(w) + x); };
  int products = 0;
  const auto by_hand = [&](const Tensor& z) -> Map {
    const Tensor slope = 1 - f(z).square();
    return [&, slope](const Tensor& u) {
      ++products;
      return (u * slope).matmul(w.t());
    };
  };
  const Variant plain = implicit_variant("Anderson", Anderson{});
  auto options = plain.options(at::kDouble);
  options.gradient =
      ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}, .transposed_jacobian = by_hand};
  const auto second_derivatives = [&](const FixedPointOptions& how) {
    const Tensor z = fixed_point(f, torch::zeros_like(x), how).value;
    const auto first = torch::autograd::grad({z.pow(3).sum()}, {w, x}, {}, true, true);
    auto all = torch::autograd::grad({first[0].sin().sum() + first[1].pow(2).sum()}, {w, x});
    all.insert(all.end(), first.begin(), first.end());
    return all;
  };
  const auto expected = second_derivatives(plain.options(at::kDouble)), actual = second_derivatives(options);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(close(actual[i], expected[i], 1e-10)) << i;
  EXPECT_GT(products, 0);
}

TEST(Derivatives, InSelectedInputsAreTheSame) {
  const Tensor w = small_matrix().requires_grad_(), x = normal({2, 3}).requires_grad_();
  const Tensor upstream = x.sin();
  for (const Variant& variant : exact_variants()) {
    SCOPED_TRACE(variant.name);
    const Tensor z = fixed_point([&](const Tensor& y) { return torch::tanh(y.matmul(w) + upstream) * x; },
                                 zeros({2, 3}), variant.options(at::kDouble))
                         .value;
    const auto all = torch::autograd::grad({z.square().sum()}, {w, x}, {}, true);
    const auto only_w = torch::autograd::grad({z.square().sum()}, {w}, {}, true);
    const auto only_x = torch::autograd::grad({z.square().sum()}, {x}, {}, true);
    EXPECT_TRUE(close(only_w[0], all[0], 1e-14));
    EXPECT_TRUE(close(only_x[0], all[1], 1e-14));
  }
}

}  // namespace
}  // namespace stillpoint::test
