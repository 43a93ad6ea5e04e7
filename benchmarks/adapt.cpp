#include "stillpoint/optim/adapt.h"

#include <cmath>

#include "benchmarks.h"
#include "peak_bytes.h"
#include "ratio.h"

namespace sp = stillpoint;
using torch::Tensor;
using torch::autograd::grad;

namespace {

/// Regression of sinusoids by a network with two hidden layers, as in the experiments on meta-learning.
struct Tasks {
  std::int64_t count;
  std::int64_t width;
  std::int64_t shots = 10;
  std::vector<Tensor> theta = initial();
  Tensor support = 10 * torch::rand({count, shots, 1}) - 5;
  Tensor query = 10 * torch::rand({count, shots, 1}) - 5;

  std::vector<Tensor> initial() const {
    std::vector<Tensor> all;
    for (const auto& [out, in] :
         {std::pair(width, std::int64_t{1}), {width, width}, {std::int64_t{1}, width}}) {
      all.push_back((torch::randn({in, out}) / std::sqrt(static_cast<double>(in))).requires_grad_());
      all.push_back(torch::zeros({1, out}).requires_grad_());
    }
    return all;
  }
  std::vector<Tensor> start() const {
    std::vector<Tensor> all;
    for (const Tensor& t : theta) all.push_back(t.expand({count, t.size(0), t.size(1)}));
    return all;
  }
  static Tensor losses(const std::vector<Tensor>& w, const Tensor& x) {
    const Tensor first = torch::relu(torch::baddbmm(w[1], x, w[0]));
    const Tensor second = torch::relu(torch::baddbmm(w[3], first, w[2]));
    return (torch::baddbmm(w[5], second, w[4]) - x.sin()).square().mean({1, 2});
  }
  std::string size() const {
    return std::to_string(width) + " wide, " + std::to_string(count) + " tasks of " + std::to_string(shots);
  }
};

/// The gradient of the loss after the inner loop, by autograd alone.
std::vector<Tensor> plain_step(const Tasks& tasks, std::int64_t steps) {
  std::vector<Tensor> w = tasks.start();
  for (std::int64_t step = 0; step < steps; ++step) {
    const auto slopes = grad({Tasks::losses(w, tasks.support).sum()}, w, {}, true, /*create_graph=*/true);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = w[i] - 0.01 * slopes[i];
  }
  return grad({Tasks::losses(w, tasks.query).mean()}, tasks.theta);
}

std::vector<Tensor> adapt_step(const Tasks& tasks, const sp::AdaptOptions& options) {
  const auto loss = [&](const sp::State& w) { return Tasks::losses(w, tasks.support); };
  const auto w = sp::adapt(loss, tasks.start(), options);
  return grad({Tasks::losses(w, tasks.query).mean()}, tasks.theta);
}

}  // namespace

void adapt(Table& table) {
  table.heading("Meta-gradient through steps of gradient descent: adapt / autograd with create_graph");
  using Sizes = std::tuple<std::int64_t, std::int64_t, std::int64_t>;
  for (const auto& [count, width, steps] :
       {Sizes{25, 40, 1}, {25, 40, 5}, {25, 40, 20}, {4, 200, 1}, {4, 200, 5}}) {
    const Tasks tasks{count, width};
    const double ratio =
        time_ratio([&] { adapt_step(tasks, {.steps = steps}); }, [&] { plain_step(tasks, steps); });
    table.row(tasks.size() + ", steps: " + std::to_string(steps), ratio, 1.0);
  }
  // The record of a step is its weights and what the points make of them. So checkpoints pay for many points.
  constexpr std::int64_t steps = 20;
  for (const std::int64_t points : {10, 400}) {
    const Tasks tasks{25, 40, points};
    const auto plain = peak_bytes([&] { plain_step(tasks, steps); });
    const std::vector<std::pair<std::string, sp::AdaptOptions>> forms{
        {"all kept", {.steps = steps}},
        {"a checkpoint every 5", {.steps = steps, .checkpoint_every = 5}},
        {"a checkpoint every step", {.steps = steps, .checkpoint_every = 1}},
        {"first order", {.steps = steps, .first_order = true}}};
    table.heading(tasks.size() + ", 20 steps: peak memory of adapt / that of autograd");
    for (const auto& [name, options] : forms) {
      const auto peak = peak_bytes([&] { adapt_step(tasks, options); });
      table.row(name, static_cast<double>(peak) / static_cast<double>(plain));
    }
    table.heading(tasks.size() + ", 20 steps: time of adapt / that of autograd");
    for (const auto& [name, options] : forms) {
      table.row(name, time_ratio([&] { adapt_step(tasks, options); }, [&] { plain_step(tasks, steps); }));
    }
  }
}
