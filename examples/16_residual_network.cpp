// A residual network whose blocks share their weights is a neural ODE that Euler's method solves with steps
// of length 1. With a better method the number of blocks is up to the solver.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

struct BlockImpl : torch::nn::Cloneable<BlockImpl> {
  BlockImpl() { reset(); }
  void reset() override {
    inner = register_module("inner", torch::nn::Linear(4, 16));
    outer = register_module("outer", torch::nn::Linear(16, 4));
  }
  torch::Tensor forward(const torch::Tensor& x) { return outer(torch::tanh(inner(x))); }
  torch::nn::Linear inner{nullptr}, outer{nullptr};
};
TORCH_MODULE(Block);

int main() {
  torch::manual_seed(1);
  Block block;
  stillpoint::nn::NeuralOde ode(block,
                                stillpoint::OdeintOptions{.method = stillpoint::ode::Euler{},
                                                          .control = stillpoint::ode::ConstantStep{1}});
  const auto x = torch::randn({8, 4});

  auto h = x;
  for (int i = 0; i < 6; ++i) h = h + block(h);
  const auto y = ode->trajectory(x, {0, 6}).select(1, 1);
  const double difference = (y - h).abs().max().item<double>();
  std::printf("6 blocks and 6 Euler steps differ by %.1e\n", difference);

  ode->options = {};
  ode->trajectory(x, {0, 6});
  std::printf("%s\n", ode->stats().brief().c_str());
  return difference < 1e-5 ? 0 : 1;
}
