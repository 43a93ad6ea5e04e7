#include "stillpoint/nn/fixed_dropout.h"

#include <gtest/gtest.h>

#include <sstream>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

/// tanh(W dropout(z) + x)
struct DroppingCellImpl : torch::nn::Cloneable<DroppingCellImpl> {
  explicit DroppingCellImpl(std::int64_t state_width) : width(state_width) { reset(); }
  void reset() override {
    linear = register_module("linear", torch::nn::Linear(width, width));
    const torch::NoGradGuard off;
    linear->weight.mul_(0.4);
    dropout = register_module("dropout", nn::FixedDropout(0.4));
  }
  Tensor forward(const Tensor& z, const Tensor& x) { return torch::tanh(linear(dropout(z)) + x); }

  std::int64_t width;
  torch::nn::Linear linear{nullptr};
  nn::FixedDropout dropout{nullptr};
};
TORCH_MODULE(DroppingCell);

FixedPointOptions tight_options() {
  return {.gradient = ImplicitGradient{.tolerance = {.relative = 1e-13}}, .tolerance = {.relative = 1e-13}};
}

nn::FixedPoint layer_around(DroppingCell& cell) {
  nn::FixedPoint layer(torch::nn::AnyModule(cell), tight_options());
  layer->to(device(), torch::kDouble);
  return layer;
}

// First and second derivatives of numbers made of z.
std::vector<Tensor> two_orders(const Tensor& z, const std::vector<Tensor>& inputs) {
  auto all = torch::autograd::grad({z.pow(3).sum()}, inputs, {}, true, true);
  Tensor number = torch::zeros({}, z.options());
  for (const Tensor& g : all) number = number + g.sin().sum();
  for (const Tensor& g : torch::autograd::grad({number}, inputs, {}, true)) all.push_back(g);
  return all;
}

TEST(FixedDropout, KeepsItsMaskUntilReset) {
  torch::manual_seed(1);
  nn::FixedDropout dropout(0.25);
  const Tensor x = torch::ones({200, 50}, options());
  const Tensor once = dropout(x);
  EXPECT_TRUE(identical(dropout(x), once));
  EXPECT_TRUE(identical(dropout(2 * x), 2 * once));
  EXPECT_TRUE(identical(dropout->mask(), once));
  dropout->reset_mask();
  EXPECT_FALSE(dropout->mask().defined());
  EXPECT_GT(max_difference(dropout(x), once), 0.5);
  dropout->reset_mask(x);
  const Tensor drawn = dropout->mask();
  EXPECT_TRUE(identical(dropout(x), drawn));
}

TEST(FixedDropout, ScalesSoThatTheExpectationStays) {
  torch::manual_seed(2);
  nn::FixedDropout dropout(0.25);
  const Tensor y = dropout(torch::ones({400, 100}, options()));
  EXPECT_TRUE(((y == 0) | ((y - 1.0 / 0.75).abs() < 1e-15)).all().item<bool>());
  // The mean of 40,000 numbers of variance p / (1 − p) = 1/3: five standard deviations.
  EXPECT_NEAR(y.mean().item<double>(), 1.0, 5 * std::sqrt(1.0 / 3.0 / 40000.0));
  nn::FixedDropout none(0.0);
  EXPECT_TRUE(identical(none(y), y));
}

TEST(FixedDropout, IsTheIdentityInEvaluation) {
  DroppingCell cell(6);
  auto layer = layer_around(cell);
  layer->eval();
  const Tensor x = normal({3, 6});
  EXPECT_TRUE(identical(cell->dropout(x), x));
  EXPECT_TRUE(identical(cell->dropout->draw(x), torch::ones_like(x)));
  const Tensor z = layer->forward(x);
  cell->dropout->reset_mask();
  EXPECT_TRUE(identical(layer->forward(x), z));
  EXPECT_TRUE(close(torch::tanh(cell->linear(z) + x), z, 1e-12));
  EXPECT_FALSE(cell->dropout->mask().defined());
}

TEST(FixedDropout, InACellHasAFixedPointAndTheUnrolledDerivatives) {
  torch::manual_seed(3);
  DroppingCell cell(6);
  auto layer = layer_around(cell);
  const Tensor x = normal({3, 6}).requires_grad_();
  auto inputs = layer->parameters();
  inputs.push_back(x);
  for (int i = 0; i < 2; ++i) {
    cell->dropout->reset_mask();
    const Tensor z = layer->forward(x);
    EXPECT_TRUE(layer->stats().converged());
    EXPECT_TRUE(((cell->dropout->mask() == 0).any() & (cell->dropout->mask() > 0).any()).item<bool>());
    const auto actual = two_orders(z, inputs);
    Tensor unrolled = zeros({3, 6});
    for (int k = 0; k < 100; ++k) unrolled = cell->forward(unrolled, x);
    const auto expected = two_orders(unrolled, inputs);
    for (std::size_t k = 0; k < expected.size(); ++k) EXPECT_TRUE(close(actual[k], expected[k], 1e-10)) << k;
  }
}

TEST(FixedDropout, DrawsANewMaskForTheNextSolve) {
  torch::manual_seed(4);
  DroppingCell cell(6);
  auto layer = layer_around(cell);
  const Tensor x = normal({3, 6}), first = layer->forward(x);
  EXPECT_TRUE(close(layer->forward(x), first, 1e-12));
  cell->dropout->reset_mask();
  EXPECT_GT(max_difference(layer->forward(x), first), 1e-3);
  EXPECT_TRUE(layer->stats().converged());
  // A plain backward pass does not ask for the mask again.
  const auto before = torch::autograd::grad({first.sum()}, layer->parameters(), {}, true);
  cell->dropout->reset_mask();
  const auto after = torch::autograd::grad({first.sum()}, layer->parameters());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(identical(after[i], before[i])) << i;
}

TEST(FixedDropout, WithAMaskInAClosureStaysRightAfterAReset) {
  torch::manual_seed(5);
  torch::nn::Linear linear(6, 6);
  linear->to(device(), torch::kDouble);
  {
    const torch::NoGradGuard off;
    linear->weight.mul_(0.4);
  }
  nn::FixedDropout dropout(0.4);
  const Tensor x = normal({3, 6}).requires_grad_();
  const Tensor mask = dropout->draw(x);
  EXPECT_FALSE(mask.requires_grad());
  EXPECT_FALSE(dropout->mask().defined());
  const Map f = [=](const Tensor& z) mutable { return torch::tanh(linear(z * mask) + x); };
  const Tensor z = fixed_point(f, zeros({3, 6}), tight_options()).value;
  EXPECT_GT(max_difference(dropout->draw(x), mask), 0.5);
  dropout->reset_mask(x);
  auto inputs = linear->parameters();
  inputs.push_back(x);
  Tensor unrolled = zeros({3, 6});
  for (int k = 0; k < 100; ++k) unrolled = f(unrolled);
  const auto actual = two_orders(z, inputs), expected = two_orders(unrolled, inputs);
  for (std::size_t k = 0; k < expected.size(); ++k) EXPECT_TRUE(close(actual[k], expected[k], 1e-10)) << k;
}

TEST(FixedDropout, FollowsDtypeAndShapeAfterAReset) {
  nn::FixedDropout dropout(0.5);
  dropout(zeros({3, 4}));
  expect_error([&] { dropout(zeros({2, 4})); }, "reset_mask");
  expect_error([&] { dropout(zeros({3, 4}, torch::kFloat)); }, "reset_mask");
  dropout->reset_mask();
  EXPECT_EQ(dropout(zeros({2, 4, 5}, torch::kFloat)).scalar_type(), torch::kFloat);
}

TEST(FixedDropout, IsClonedSavedAndLoaded) {
  torch::manual_seed(6);
  DroppingCell cell(6), other(6);
  cell->to(device(), torch::kDouble);
  other->to(device(), torch::kDouble);
  const Tensor x = normal({3, 6});
  cell->forward(x, x);
  const auto clone = std::dynamic_pointer_cast<DroppingCellImpl>(cell->clone());
  ASSERT_TRUE(clone);
  EXPECT_FALSE(clone->dropout->mask().defined());
  EXPECT_EQ(clone->dropout->p, 0.4);
  clone->forward(x, x);
  EXPECT_GT(max_difference(clone->dropout->mask(), cell->dropout->mask()), 0.5);
  std::stringstream file;
  torch::save(cell, file);
  torch::load(other, file, device());
  other->eval();
  cell->eval();
  EXPECT_TRUE(identical(other->forward(x, x), cell->forward(x, x)));
}

TEST(FixedDropout, NamesItselfAndRefusesMisuse) {
  std::ostringstream out;
  out << nn::FixedDropout(0.25);
  EXPECT_NE(out.str().find("FixedDropout(p=0.25)"), std::string::npos) << out.str();
  for (const double p : {-0.1, 1.0, std::nan("")}) {
    expect_error([&] { nn::FixedDropout dropout(p); }, "[0, 1)");
  }
}

}  // namespace
}  // namespace stillpoint::test
