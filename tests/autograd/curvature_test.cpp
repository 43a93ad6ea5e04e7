#include "stillpoint/autograd/curvature.h"

#include <gtest/gtest.h>

#include "stillpoint/autograd/products.h"
#include "stillpoint/equations/fixed_point.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

// Logits of a small net and their cross entropy, and how often the net was evaluated.
struct Classifier {
  explicit Classifier(torch::Dtype dtype = torch::kDouble)
      : x(normal({5, 3}, dtype)), labels(torch::tensor({0, 1, 1, 0, 1}).to(device())) {
    for (const auto& shape : {std::vector<std::int64_t>{3, 4}, {4}, {4, 2}}) {
      parameters.push_back(normal(shape, dtype).requires_grad_());
      v.push_back(normal(shape, dtype));
    }
  }
  Tensor logits_of(const std::vector<Tensor>& w) const {
    ++evaluations;
    return torch::tanh(torch::addmm(w[1], x, w[0])).mm(w[2]);
  }
  Tensor logits() const { return logits_of(parameters); }
  Tensor loss_of(const Tensor& z) const { return torch::nn::functional::cross_entropy(z, labels); }
  Tensor log_likelihoods_of(const Tensor& z) const {
    return torch::log_softmax(z, 1).gather(1, labels.unsqueeze(1));
  }

  Tensor x, labels;
  std::vector<Tensor> parameters, v;
  mutable int evaluations = 0;
};

void expect_close(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_TRUE(close(actual[i], expected[i], tolerance)) << i;
}

void expect_products_of_single_calls(torch::Dtype dtype, double tolerance) {
  const Classifier net(dtype);
  const auto logits = [&] { return net.logits(); };
  const auto loss = [&](const Tensor& z) { return net.loss_of(z); };
  const auto total = [&] { return loss(net.logits()); };
  const auto likelihoods = [&] { return net.log_likelihoods_of(net.logits()); };
  const auto gradient = torch::autograd::grad({total()}, net.parameters);

  const auto hessian = hessian_at(total, net.parameters);
  const auto gauss_newton = gauss_newton_at(logits, loss, net.parameters);
  const auto fisher = fisher_at(likelihoods, net.parameters);
  const int recorded = net.evaluations;
  for (int turn = 0; turn < 2; ++turn) {
    expect_close(hessian(net.v), hvp(total, net.parameters, net.v).product, tolerance);
    expect_close(gauss_newton(net.v), gauss_newton_product(logits, loss, net.parameters, net.v).product,
                 tolerance);
    expect_close(fisher(net.v), fisher_product(likelihoods, net.parameters, net.v).product, tolerance);
  }
  EXPECT_EQ(net.evaluations, recorded + 6) << "products evaluate nothing";
  expect_close(hessian.gradient(), gradient, tolerance);
  expect_close(gauss_newton.gradient(), gradient, tolerance);
  EXPECT_TRUE(close(hessian.value(), total(), tolerance));
  EXPECT_TRUE(close(gauss_newton.value(), total(), tolerance));
  EXPECT_TRUE(close(fisher.value(), likelihoods(), tolerance));
  EXPECT_FALSE(hessian.gradient()[0].requires_grad());
  EXPECT_FALSE(hessian(net.v)[0].requires_grad());
}

TEST(Curvature, MakesTheProductsOfSingleCalls) {
  expect_products_of_single_calls(torch::kDouble, 1e-13);
  expect_products_of_single_calls(torch::kFloat, 1e-5);
}

TEST(Curvature, HasThreeForms) {
  const Classifier net;
  std::vector<Tensor> plain;
  for (const Tensor& one : net.parameters) plain.push_back(one.detach());
  const auto of_list = [&](const std::vector<Tensor>& w) { return net.loss_of(net.logits_of(w)); };
  const auto closed = [&] { return of_list(net.parameters); };
  expect_close(hessian_at(of_list, plain)(net.v), hessian_at(closed, net.parameters)(net.v), 1e-14);
  const auto of_first = [&](const Tensor& w) { return net.logits_of({w, plain[1], plain[2]}); };
  const auto loss = [&](const Tensor& z) { return net.loss_of(z); };
  const auto of_one = gauss_newton_at(of_first, loss, plain[0]);
  EXPECT_TRUE(
      close(of_one(net.v[0]), gauss_newton_product(of_first, loss, plain[0], net.v[0]).product, 1e-13));
  const auto likelihood = [&](const Tensor& w) { return net.log_likelihoods_of(of_first(w)); };
  EXPECT_TRUE(close(fisher_at(likelihood, plain[0])(net.v[0]),
                    fisher_product(likelihood, plain[0], net.v[0]).product, 1e-13));
}

TEST(Curvature, OfTheSumOfSquares) {
  const auto hessian = hessian_at([](const Tensor& x) { return x.square().sum(); }, vector({1, 2}));
  EXPECT_TRUE(identical(hessian(vector({4, 5})), vector({8, 10})));
  EXPECT_TRUE(identical(hessian.gradient()[0], vector({2, 4})));
  EXPECT_DOUBLE_EQ(hessian.value().item<double>(), 5);
}

TEST(Curvature, GoesThroughAFixedPointAndWorksWithGradientsOff) {
  const Tensor w = (0.3 * normal({4, 4})).requires_grad_();
  const Tensor x = normal({3, 4}), v = normal({4, 4});
  const auto energy = [&] {
    return fixed_point([&](const Tensor& z) { return torch::tanh(z.mm(w) + x); }, torch::zeros_like(x),
                       {.gradient = ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}},
                        .tolerance = {.relative = 1e-14, .absolute = 1e-14},
                        .on_failure = OnFailure::Throw})
        .value.pow(3)
        .sum();
  };
  const torch::NoGradGuard off;
  const auto hessian = hessian_at(energy, {w});
  const auto expected = hvp(energy, {w}, {v}).product;
  expect_close(hessian(std::vector<Tensor>{v}), expected, 1e-11);
  expect_close(hessian(std::vector<Tensor>{2 * v}), {2 * expected[0]}, 1e-11);
}

TEST(Curvature, OfWhatIsLinearOrIgnoresXIsZero) {
  const Tensor x = normal({3}), v = normal({3});
  EXPECT_TRUE(identical(hessian_at([](const Tensor& y) { return y.sum(); }, x)(v), torch::zeros_like(x)));
  EXPECT_TRUE(identical(hessian_at([](const Tensor&) { return zeros({}); }, x)(v), torch::zeros_like(x)));
  const auto square = [](const Tensor& y) { return y.square(); };
  const auto sum = [](const Tensor& y) { return y.sum(); };
  EXPECT_TRUE(identical(gauss_newton_at(square, sum, x)(v), torch::zeros_like(x)));
  EXPECT_TRUE(identical(gauss_newton_at([](const Tensor&) { return zeros({2}); },
                                        [](const Tensor& y) { return y.square().sum(); }, x)(v),
                        torch::zeros_like(x)));
}

TEST(Curvature, RefusesMisuse) {
  const Tensor x = vector({1, 2});
  const auto square = [](const Tensor& y) { return y.square(); };
  const auto sum = [](const Tensor& y) { return y.square().sum(); };
  expect_error([&] { hessian_at(square, x); }, "[2]");
  expect_error([&] { gauss_newton_at(square, square, x); }, "[2]");
  expect_error([&] { hessian_at(sum, x)(vector({1})); }, "v");
  const Tensor w = vector({1, 2}).requires_grad_();
  const auto penalized = [&](const Tensor& y) { return y.square().sum() + w.square().sum(); };
  expect_error([&] { gauss_newton_at([&] { return 3 * w; }, penalized, {w}); },
               "loss: expected a function of the outputs alone");
  expect_error([&] { hessian_at(sum, x)(std::vector<Tensor>{x, x}); }, "v: expected 1 tensors, got 2");
  expect_error([&] { hessian_at([&] { return x.sum(); }, {x}); }, "parameters: expected");
  expect_error([&] { hessian_at([](const Tensor&) { return Tensor(); }, x); }, "undefined");
  expect_error([&] { Curvature(x, {x}, nullptr); }, "products");
}

TEST(Curvature, NoticesParametersThatWereEdited) {
  const Tensor w = normal({3}).requires_grad_();
  const auto hessian = hessian_at([&] { return w.pow(3).sum(); }, {w});
  {
    const torch::NoGradGuard off;
    w.add_(1);
  }
  expect_error([&] { hessian({w.detach()}); }, "modified by an inplace operation");
}

}  // namespace
}  // namespace stillpoint::test
