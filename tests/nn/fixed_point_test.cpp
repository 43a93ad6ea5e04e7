#include "stillpoint/nn/fixed_point.h"

#include <gtest/gtest.h>

#include <sstream>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

/// tanh(W z + x + b), with a buffer, and dropout-like behavior that shows which mode it is in.
struct CellImpl : torch::nn::Cloneable<CellImpl> {
  explicit CellImpl(std::int64_t state_width) : width(state_width) { reset(); }
  void reset() override {
    linear = register_module("linear", torch::nn::Linear(width, width));
    const torch::NoGradGuard off;
    linear->weight.mul_(0.4);
    scale = register_buffer("scale", torch::ones({1}));
  }
  Tensor forward(const Tensor& z, const Tensor& x) {
    ++calls;
    return torch::tanh(linear(z) + x) * scale * (is_training() ? 1.0 : 0.5);
  }
  std::int64_t width;
  torch::nn::Linear linear{nullptr};
  Tensor scale;
  int calls = 0;
};
TORCH_MODULE(Cell);

nn::FixedPoint layer_of(const Cell& cell, const FixedPointOptions& how = {}) {
  nn::FixedPoint layer(torch::nn::AnyModule(cell), how);
  layer->to(device(), torch::kDouble);
  return layer;
}

nn::FixedPoint layer_of(std::int64_t width = 4) { return layer_of(Cell(width)); }

Tensor forward(nn::FixedPoint& layer, const Tensor& x) { return layer->forward(x); }

TEST(NnFixedPoint, SolvesTheCell) {
  Cell cell(4);
  auto layer = layer_of(cell);
  const Tensor x = normal({3, 4}), z = forward(layer, x);
  EXPECT_TRUE(close(cell->forward(z, x), z, 1e-9));
  EXPECT_TRUE(z.requires_grad());
  EXPECT_TRUE(layer->stats().converged());
  EXPECT_EQ(layer->stats().status.size(), 3u);
}

TEST(NnFixedPoint, HasTheGradientsOfTheUnrolledCell) {
  Cell cell(4);
  auto layer = layer_of(cell, {.tolerance = {.relative = 1e-13}});
  const Tensor x = normal({3, 4}).requires_grad_();
  auto inputs = layer->parameters();
  inputs.push_back(x);
  Tensor unrolled = zeros({3, 4});
  for (int i = 0; i < 100; ++i) unrolled = cell->forward(unrolled, x);
  const auto expected = torch::autograd::grad({unrolled.pow(3).sum()}, inputs);
  const auto actual = torch::autograd::grad({forward(layer, x).pow(3).sum()}, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) EXPECT_TRUE(close(actual[i], expected[i], 1e-9)) << i;
  EXPECT_TRUE(layer->stats().backward->converged());
  EXPECT_EQ(layer->stats().backward->status.size(), 3u);
}

TEST(NnFixedPoint, NamesTheParametersOfTheCell) {
  const auto layer = layer_of();
  const auto parameters = layer->named_parameters();
  EXPECT_EQ(parameters.keys(), (std::vector<std::string>{"cell.linear.weight", "cell.linear.bias"}));
  EXPECT_EQ(layer->named_buffers().keys(), (std::vector<std::string>{"cell.scale"}));
}

TEST(NnFixedPoint, IsSavedAndLoaded) {
  auto layer = layer_of(), other = layer_of();
  const Tensor x = normal({3, 4});
  ASSERT_GT(max_difference(forward(layer, x), forward(other, x)), 1e-3);
  std::stringstream file;
  torch::save(layer, file);
  torch::load(other, file, device());
  EXPECT_TRUE(identical(forward(other, x), forward(layer, x)));
}

TEST(NnFixedPoint, AloneIsIndependentOfItsClone) {
  auto layer = layer_of();
  const Tensor x = normal({3, 4}), before = forward(layer, x);
  const auto clone = std::dynamic_pointer_cast<nn::FixedPointImpl>(layer->clone());
  ASSERT_TRUE(clone);
  EXPECT_TRUE(identical(clone->forward(x), before));
  {
    const torch::NoGradGuard off;
    for (Tensor& p : layer->parameters()) p.mul_(0.1);
  }
  EXPECT_TRUE(identical(clone->forward(x), before));
  EXPECT_GT(max_difference(forward(layer, x), before), 1e-3);
  {
    const torch::NoGradGuard off;
    for (Tensor& p : clone->parameters()) p.zero_();
  }
  EXPECT_TRUE(identical(clone->forward(x), torch::tanh(x)));
  EXPECT_EQ(clone->named_parameters().keys(), layer->named_parameters().keys());
}

TEST(NnFixedPoint, FollowsDtype) {
  auto layer = layer_of();
  layer->to(torch::kFloat);
  const Tensor x = normal({3, 4}, torch::kFloat);
  EXPECT_EQ(forward(layer, x).scalar_type(), torch::kFloat);
  layer->to(torch::kDouble);
  EXPECT_EQ(forward(layer, x.to(torch::kDouble)).scalar_type(), torch::kDouble);
}

TEST(NnFixedPoint, PassesTheModeToTheCell) {
  Cell cell(4);
  auto layer = layer_of(cell);
  const Tensor x = normal({3, 4});
  EXPECT_TRUE(cell->is_training());
  const Tensor in_training = forward(layer, x);
  layer->eval();
  EXPECT_FALSE(cell->is_training());
  const Tensor in_evaluation = forward(layer, x);
  EXPECT_GT(max_difference(in_training, in_evaluation), 1e-2);
  EXPECT_TRUE(close(cell->forward(in_evaluation, x), in_evaluation, 1e-9));
  EXPECT_TRUE(in_evaluation.requires_grad());
  layer->train();
  EXPECT_TRUE(identical(forward(layer, x), in_training));
}

TEST(NnFixedPoint, StartsWhereItIsTold) {
  Cell cell(4);
  auto layer = layer_of(cell);
  const Tensor x = normal({3, 4}), z = forward(layer, x);
  EXPECT_GT(layer->stats().mean_iterations(), 0.0);
  EXPECT_TRUE(identical(layer->forward(x, z.detach()), z));
  EXPECT_EQ(layer->stats().mean_iterations(), 0.0);
  // The start gives the shape of the state, which need not be that of x.
  const Tensor one_for_all = normal({1, 4});
  EXPECT_EQ(layer->forward(one_for_all, zeros({3, 4})).sizes(), at::IntArrayRef({3, 4}));
}

TEST(NnFixedPoint, TakesOptions) {
  auto layer = layer_of(Cell(4), {.solver = Picard{}, .max_iterations = 2, .on_failure = OnFailure::Ignore});
  forward(layer, normal({3, 4}));
  EXPECT_EQ(layer->stats().method, "Picard");
  EXPECT_EQ(layer->stats().count(Status::MaxIterations), 3);
  layer->options.max_iterations = 500;
  forward(layer, normal({3, 4}));
  EXPECT_TRUE(layer->stats().converged());
}

TEST(NnFixedPoint, WorksInASequential) {
  torch::nn::Sequential net(torch::nn::Linear(5, 4), nn::FixedPoint(torch::nn::AnyModule(Cell(4))),
                            torch::nn::Linear(4, 2));
  net->to(device(), torch::kDouble);
  const Tensor x = normal({3, 5});
  const Tensor y = net->forward(x);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({3, 2}));
  y.sum().backward();
  for (const auto& p : net->named_parameters()) EXPECT_TRUE(p.value().grad().defined()) << p.key();
  EXPECT_EQ(net->parameters().size(), 6u);
}

TEST(NnFixedPoint, LearnsWithAnOptimizer) {
  torch::nn::Sequential net(torch::nn::Linear(5, 8), nn::FixedPoint(torch::nn::AnyModule(Cell(8))),
                            torch::nn::Linear(8, 1));
  net->to(device(), torch::kDouble);
  const Tensor x = normal({32, 5}), target = x.sin().sum(1, true);
  torch::optim::Adam optimizer(net->parameters(), 0.02);
  const auto step = [&] {
    optimizer.zero_grad();
    const Tensor loss = torch::mse_loss(net->forward(x), target);
    loss.backward();
    optimizer.step();
    return loss.item<double>();
  };
  const double first = step();
  double last = first;
  for (int i = 0; i < 150; ++i) last = step();
  EXPECT_LT(last, 0.05 * first);
}

TEST(NnFixedPoint, MayBeGoneWhenTheBackwardPassRuns) {
  const Tensor x = normal({3, 4}).requires_grad_();
  Tensor z;
  {
    auto layer = layer_of();
    z = forward(layer, x);
  }
  const Tensor first = torch::autograd::grad({z.sum()}, {x}, {}, true, true)[0];
  EXPECT_TRUE(torch::autograd::grad({first.sum()}, {x})[0].isfinite().all().item<bool>());
}

TEST(NnFixedPoint, NamesItself) {
  std::ostringstream out;
  out << layer_of();
  EXPECT_NE(out.str().find("FixedPoint"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("Anderson"), std::string::npos) << out.str();
}

TEST(NnFixedPoint, RefusesAnEmptyCell) {
  expect_error([] { nn::FixedPoint layer{torch::nn::AnyModule()}; }, "cell");
}

}  // namespace
}  // namespace stillpoint::test
