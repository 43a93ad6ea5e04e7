// Model-agnostic meta-learning: weights from which one step of gradient descent on ten points of a sinusoid
// leads to that sinusoid. Tasks are one computation, with weights of their own. Instead of the step, each
// task may go to the minimum of its loss near to those weights.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>

namespace sp = stillpoint;
using torch::Tensor;

struct Points {
  Tensor x, y;
};

Tensor errors(const sp::State& w, const Points& p) {
  const auto first = torch::tanh(torch::baddbmm(w[1], p.x, w[0]));
  const auto second = torch::tanh(torch::baddbmm(w[3], first, w[2]));
  return (torch::baddbmm(w[5], second, w[4]) - p.y).square().mean({1, 2});
}

int main() {
  torch::manual_seed(1);
  constexpr std::int64_t tasks = 25;
  sp::State theta;
  for (const auto& [in, out] : {std::pair<std::int64_t, std::int64_t>{1, 40}, {40, 40}, {40, 1}}) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    theta.push_back(torch::empty({1, in, out}).uniform_(-bound, bound).requires_grad_());
    theta.push_back(torch::empty({1, 1, out}).uniform_(-bound, bound).requires_grad_());
  }
  torch::optim::Adam adam(theta, torch::optim::AdamOptions(3e-3));

  const auto learn = [&](bool implicit) {
    const auto amplitude = 0.1 + 4.9 * torch::rand({tasks, 1, 1}), phase = M_PI * torch::rand({tasks, 1, 1});
    const auto x = 10 * torch::rand({2, tasks, 10, 1}) - 5, y = amplitude * torch::sin(x - phase);
    const auto loss = [&](const sp::State& w) { return errors(w, {x[0], y[0]}); };
    sp::State start;
    for (const auto& t : theta) start.push_back(t.expand({tasks, -1, -1}));
    const sp::Packing packing(start);
    const auto center = packing.pack(start);
    const auto near = [&](const Tensor& phi) {
      return loss(packing.unpack(phi)) + 10 * (phi - center).square().sum(1);
    };
    const auto adapted =
        implicit ? packing.unpack(sp::minimize(near, center, {.tolerance = {.relative = 1e-3}}).value)
                 : sp::adapt(loss, start, {.rate = 0.01});
    const auto error = errors(adapted, {x[1], y[1]}).mean();
    adam.zero_grad();
    error.backward();
    adam.step();
    return error.item<double>();
  };
  for (const bool implicit : {false, true}) {
    const int steps = implicit ? 150 : 2000;
    double early = 0, late = 0;
    for (int i = 0; i < steps; ++i) {
      const double error = learn(implicit) / 50;
      early += i < 50 ? error : 0;
      late += i >= steps - 50 ? error : 0;
    }
    std::printf("%s: error %.2f at first, %.2f in the end\n",
                implicit ? "at the minimum nearby" : "after one step", early, late);
    if (!(late < early)) return 1;
  }
  return 0;
}
