// Every method with every rule for the derivatives of its numbers, in each form a problem comes in: the same
// derivatives as autograd through all steps, to third order.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "ode/candidates.h"
#include "ode/derivatives.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

struct RuleCandidate {
  std::string name;
  ode::GradientRule rule;
  bool takes_back = false;  // steps
};

struct Form {
  std::string name;
  bool per_sample = false;
  bool list = false;
  bool event = false;
  bool jump = false;
};
std::ostream& operator<<(std::ostream& out, const Form& form) { return out << form.name; }

using Case = std::tuple<MethodCandidate, Form>;
class OdeintConformance : public testing::TestWithParam<Case> {};

// A driven pendulum with what it captures, from y0 at t0 to t1.
struct Driven {
  Tensor k = parameter(1.3);
  Tensor y0 = torch::tensor({{1.2, -.3}, {.7, .4}}, torch::dtype(torch::kDouble).requires_grad(true));
  Tensor t = torch::tensor({.1, .35, .9}, torch::dtype(torch::kDouble).requires_grad(true));
  Tensor jump = torch::tensor({.5}, torch::dtype(torch::kDouble).requires_grad(true));
  Tensor level = parameter(.55);

  std::vector<Tensor> inputs() const { return {k, y0, t, jump, level}; }

  std::vector<Tensor> slope(const Tensor& at, const Tensor& q, const Tensor& p) const {
    return {p * (1 + .1 * torch::cos(at)), -k * torch::sin(q) + .2 * torch::sin(3 * at)};
  }

  Tensor solve(const ode::Method& method, const Form& form, const ode::GradientRule& rule) const {
    OdeintOptions options{.method = method, .control = ode::ConstantStep{.1}, .gradient = rule};
    if (form.per_sample) options.steps = ode::Steps::PerSample;
    if (form.jump) options.jumps.times = jump;
    if (form.event) {
      const auto falls = [level = level](const Tensor& q) { return (q - level).flatten(); };
      const auto bounce = [](const Tensor& p) { return -.8 * p; };
      if (form.list) {
        options.events = {{.when = [=](const std::vector<Tensor>& y) { return falls(y[0]); },
                           .crossing = ode::Crossing::Falling,
                           .terminal = 0,
                           .then =
                               [=](const std::vector<Tensor>& y) {
                                 return std::vector<Tensor>{y[0], bounce(y[1])};
                               }}};
      } else {
        options.events = {{.when = [=](const Tensor& y) { return falls(y.select(1, 0)); },
                           .crossing = ode::Crossing::Falling,
                           .terminal = 0,
                           .then =
                               [=](const Tensor& y) {
                                 return torch::stack({y.select(1, 0), bounce(y.select(1, 1))}, 1);
                               }}};
      }
    }
    const Driven self = *this;
    if (form.list) {
      const auto f = [self](const Tensor& at, const std::vector<Tensor>& y) {
        return self.slope(at, y[0], y[1]);
      };
      const auto y = odeint(f, {y0.narrow(1, 0, 1), y0.narrow(1, 1, 1)}, t, options).value;
      return torch::cat(y, 2);
    }
    const auto f = [self](const Tensor& at, const Tensor& y) {
      return torch::cat(self.slope(at, y.narrow(1, 0, 1), y.narrow(1, 1, 1)), 1);
    };
    return odeint(f, y0, t, options).value;
  }
};

// A number of each order: the gradient along ones, and that of its square, and so on.
std::vector<Tensor> orders(const Tensor& value, const std::vector<Tensor>& inputs, int count) {
  std::vector<Tensor> all;
  Tensor scalar = value.square().sum();
  for (int order = 0; order < count; ++order) {
    const auto g = torch::autograd::grad({scalar}, inputs, {}, true, true, true);
    std::vector<Tensor> flat;
    for (std::size_t i = 0; i < g.size(); ++i)
      flat.push_back((g[i].defined() ? g[i] : torch::zeros_like(inputs[i])).flatten());
    const Tensor together = torch::cat(flat);
    all.push_back(together.detach());
    scalar = together.square().sum();
  }
  return all;
}

TEST_P(OdeintConformance, DerivativesAreThoseOfTheSteps) {
  const auto& [candidate, form] = GetParam();
  const Driven reference;
  const int most = form.name == "Tensor" ? 3 : 2;
  const Tensor value = reference.solve(candidate.method, form, ode::Unrolled{});
  const auto right = orders(value, reference.inputs(), most);
  std::vector<RuleCandidate> rules{{"Discrete", ode::Discrete{}},
                                   {"Checkpoints", ode::Discrete{.checkpoints = 2}}};
  if (candidate.reversible && !form.jump && !form.event) rules.push_back({"Reversible", ode::Reversible{}});
  for (const RuleCandidate& rule : rules) {
    const Driven problem;
    const Tensor y = problem.solve(candidate.method, form, rule.rule);
    EXPECT_TRUE(close(y, value, 1e-14)) << rule.name;
    const auto found = orders(y, problem.inputs(), rule.name == "Discrete" ? most : 1);
    for (std::size_t order = 0; order < found.size(); ++order) {
      EXPECT_TRUE(close(found[order], right[order], 1e-10)) << rule.name << ", order " << order + 1;
    }
    // Without create_graph, which takes another way.
    const auto first =
        torch::autograd::grad({problem.solve(candidate.method, form, rule.rule).square().sum()},
                              problem.inputs(), {}, false, false, true);
    std::vector<Tensor> flat;
    for (std::size_t i = 0; i < first.size(); ++i)
      flat.push_back((first[i].defined() ? first[i] : torch::zeros_like(problem.inputs()[i])).flatten());
    EXPECT_TRUE(close(torch::cat(flat), right[0], 1e-10)) << rule.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, OdeintConformance,
    testing::Combine(
        testing::ValuesIn(method_candidates()),
        testing::Values(Form{.name = "Tensor"}, Form{.name = "List", .list = true},
                        Form{.name = "PerSample", .per_sample = true}, Form{.name = "Event", .event = true},
                        Form{.name = "Jump", .jump = true},
                        Form{.name = "ListWithEventAndJump", .list = true, .event = true, .jump = true})),
    [](const auto& tested) { return std::get<0>(tested.param).name + "_" + std::get<1>(tested.param).name; });

}  // namespace
}  // namespace stillpoint::test
