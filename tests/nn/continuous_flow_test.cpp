#include "stillpoint/nn/continuous_flow.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "nn/module_check.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

/// z' = z Aᵀ.
struct LinearFieldImpl : torch::nn::Cloneable<LinearFieldImpl> {
  explicit LinearFieldImpl(const Tensor& matrix) : a(register_parameter("a", matrix.clone())) {}
  void reset() override { a = register_parameter("a", a.detach().clone()); }
  Tensor forward(const Tensor& z) { return torch::matmul(z, a.t()); }
  Tensor a;
};
TORCH_MODULE(LinearField);

/// Two gated layers, in three dimensions.
struct GatedFieldImpl : torch::nn::Cloneable<GatedFieldImpl> {
  GatedFieldImpl() { reset(); }
  void reset() override {
    inner = register_module("inner", nn::ConcatSquash(3, 16));
    outer = register_module("outer", nn::ConcatSquash(16, 3));
  }
  Tensor forward(const Tensor& t, const Tensor& z) { return outer(t, torch::tanh(inner(t, z))); }
  nn::ConcatSquash inner{nullptr}, outer{nullptr};
};
TORCH_MODULE(GatedField);

OdeintOptions tightly() { return {.tolerance = {.relative = 1e-10, .absolute = 1e-12}}; }

nn::ContinuousFlow gated_flow(nn::ContinuousFlowOptions options = {}) {
  options.learns_end_time = true;
  nn::ContinuousFlow flow(GatedField(), std::vector<std::int64_t>{3}, options);
  flow->to(device(), torch::kDouble);
  return flow;
}

TEST(NnContinuousFlow, IsAModule) {
  const Tensor x = normal({4, 3});
  check_module(
      [] { return gated_flow(); },
      [&](nn::ContinuousFlow flow) { return flow->log_prob(x.to(flow->parameters()[0].scalar_type())); });
}

// A linear flow in closed form (40 digits): the log-density and its derivatives in the matrix, T and x.
TEST(NnContinuousFlow, HasTheDensityOfALinearFlow) {
  const auto real = torch::dtype(torch::kDouble).device(device());
  LinearField field(torch::tensor({{.3, -1.0}, {1.2, -.8}}, real));
  nn::ContinuousFlow flow(
      field, std::vector<std::int64_t>{2},
      nn::ContinuousFlowOptions{.end_time = 1.5, .learns_end_time = true, .solve = tightly()});
  flow->to(torch::kDouble);
  {
    const torch::NoGradGuard exactly;
    flow->named_parameters()["sqrt_end_time"].fill_(std::sqrt(1.5));
  }
  const Tensor x = torch::tensor({{1.0, -.5}}, real).requires_grad_();
  const Tensor log_prob = flow->log_prob(x);
  EXPECT_NEAR(log_prob.item<double>(), -3.460894444325061, 1e-8);
  const auto g =
      torch::autograd::grad({flow->log_prob(x)}, {field->a, flow->named_parameters()["sqrt_end_time"], x});
  const Tensor expected =
      torch::tensor({{-.8128882364720238, -.8185615498922676}, {.215663701075603, 1.193836102724878}}, real);
  EXPECT_TRUE(close(g[0], expected, 1e-7));
  EXPECT_NEAR(g[1].item<double>() / (2 * std::sqrt(1.5)), -.08105157462567861, 1e-7);
  EXPECT_TRUE(close(g[2], torch::tensor({{-1.292090698321564, .907888115019733}}, real), 1e-7));
  EXPECT_TRUE(close(flow->to_base(x).z, torch::tensor({{.8557602407917888, 1.006831250066967}}, real), 1e-8));
}

// log |det ∂z/∂x| beside the determinant of the solved map's Jacobian, and both penalties beside quadrature.
TEST(NnContinuousFlow, IntegratesWhatItSays) {
  torch::manual_seed(4);
  auto flow = gated_flow({.penalties = true, .solve = tightly()});
  const Tensor x = normal({2, 3});
  const auto there = flow->to_base(x);
  for (std::int64_t b = 0; b < 2; ++b) {
    const Tensor j = jacobian([&](const Tensor& row) { return flow->to_base(row.unsqueeze(0)).z[0]; }, x[b]);
    EXPECT_NEAR(there.log_det[b].item<double>(), torch::logdet(j).item<double>(), 1e-8);
  }
  EXPECT_TRUE(close(flow->from_base(there.z), x, 1e-8));

  const std::int64_t pieces = 200;
  const Tensor times = torch::linspace(0, flow->end_time().item<double>(), pieces + 1, torch::kDouble);
  const Tensor path = flow->trajectory(x, times).detach();
  const auto field = std::dynamic_pointer_cast<GatedFieldImpl>(flow->named_children()["field"]);
  Tensor kinetic = torch::zeros({2}, x.options()), squares = torch::zeros({2}, x.options());
  for (std::int64_t i = 0; i <= pieces; ++i) {
    const double weight = (i == 0 || i == pieces ? 1 : i % 2 == 1 ? 4 : 2) / 3.0 * times[1].item<double>();
    const auto f = [&](const Tensor& z) { return field->forward(times[i].to(x.options()), z); };
    kinetic += weight * f(path.select(1, i)).square().mean(1).detach();
    for (std::int64_t b = 0; b < 2; ++b)
      squares[b] += weight * jacobian(f, path[b][i].unsqueeze(0)).square().sum() / 3;
  }
  EXPECT_TRUE(close(there.kinetic, kinetic, 1e-8));
  EXPECT_TRUE(close(there.jacobian, squares, 1e-8));
}

// The mean of many estimates; each of them is the same all the way through its solve.
TEST(NnContinuousFlow, EstimatesTheTrace) {
  torch::manual_seed(5);
  auto flow = gated_flow({.solve = {.tolerance = {.relative = 1e-6, .absolute = 1e-8}}});
  const Tensor x = normal({1, 3}).expand({4000, 3});
  const torch::NoGradGuard no_grad;
  const Tensor right = flow->to_base(x.narrow(0, 0, 1)).log_det[0];
  flow->options.trace = nn::Trace::Hutchinson;
  const Tensor estimates = flow->to_base(x).log_det;
  const double error = (estimates.mean() - right).abs().item<double>();
  EXPECT_LT(error, 4 * estimates.std().item<double>() / std::sqrt(4000.0));
  EXPECT_GT(estimates.std().item<double>(), 1e-3);
}

// All second derivatives of a small loss, against differences of gradients.
TEST(NnContinuousFlow, HasSecondDerivatives) {
  torch::manual_seed(6);
  for (const auto trace : {nn::Trace::Exact, nn::Trace::Hutchinson}) {
    auto flow = gated_flow({.trace = trace, .penalties = true, .solve = {.control = ode::ConstantStep{.25}}});
    const Tensor x = normal({2, 3});
    const auto parameters = flow->parameters();
    const auto loss = [&] {
      torch::manual_seed(7);
      const auto flown = flow->to_base(x);
      return (flown.z.square().sum(1) - flown.log_det + flown.kinetic + flown.jacobian).sum();
    };
    std::vector<Tensor> v;
    for (const Tensor& p : parameters) v.push_back(normal(p.sizes()));
    const auto [value, product] = hvp(loss, parameters, v);
    const auto gradients_at = [&](double step) {
      const torch::AutoGradMode on(true);
      {
        const torch::NoGradGuard no_grad;
        for (std::size_t i = 0; i < v.size(); ++i) parameters[i].add_(v[i], step);
      }
      auto g = torch::autograd::grad({loss()}, parameters);
      const torch::NoGradGuard no_grad;
      for (std::size_t i = 0; i < v.size(); ++i) parameters[i].sub_(v[i], step);
      return g;
    };
    const auto above = gradients_at(1e-5), below = gradients_at(-1e-5);
    for (std::size_t i = 0; i < v.size(); ++i)
      EXPECT_TRUE(close(product[i], (above[i] - below[i]) / 2e-5, 1e-6)) << i;
  }
}

TEST(NnContinuousFlow, RefusesOtherShapes) {
  auto flow = gated_flow();
  EXPECT_THROW(flow->log_prob(normal({2, 4})), c10::Error);
  EXPECT_THROW(flow->sample(-1), c10::Error);
  EXPECT_THROW(nn::ContinuousFlow(GatedField(), std::vector<std::int64_t>{3},
                                  nn::ContinuousFlowOptions{.end_time = 0}),
               c10::Error);
  EXPECT_EQ(flow->sample(5).sizes(), (std::vector<std::int64_t>{5, 3}));
}

}  // namespace
}  // namespace stillpoint::test
