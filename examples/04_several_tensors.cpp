// A state of several tensors: the nodes of a graph, here a ring, and a summary of the whole graph, in
// equilibrium with each other. Each has a shape of its own; only the first dimension, the batch, is common.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <iostream>
#include <vector>

namespace sp = stillpoint;
using torch::Tensor;

int main() {
  torch::manual_seed(0);
  const std::int64_t graphs = 16, nodes = 6, width = 8;
  torch::nn::Linear neighbors(width, width), summarize(width, 4), broadcast(4, width);
  const auto ring = (torch::eye(nodes).roll(1, 0) + torch::eye(nodes).roll(-1, 0)) / 2;
  const auto input = torch::randn({graphs, nodes, width});

  const sp::TupleMap f = [&](const std::vector<Tensor>& state) {
    const auto& node = state[0];     // [graphs, nodes, width]
    const auto& summary = state[1];  // [graphs, 4]
    return std::vector<Tensor>{
        torch::tanh(torch::matmul(ring, neighbors(node)) + broadcast(summary).unsqueeze(1) + input),
        torch::tanh(summarize(node.mean(1)))};
  };

  const std::vector<Tensor> start = {torch::zeros({graphs, nodes, width}), torch::zeros({graphs, 4})};
  const auto [solution, stats] = sp::fixed_point(f, start);
  std::cout << "nodes " << solution[0].sizes() << ", summary " << solution[1].sizes() << '\n'
            << stats.brief() << '\n';

  // A loss on the summary alone reaches the parameters of both parts.
  solution[1].square().sum().backward();
  std::cout << "gradients: neighbors " << neighbors->weight.grad().norm().item<double>() << ", summarize "
            << summarize->weight.grad().norm().item<double>() << ", broadcast "
            << broadcast->weight.grad().norm().item<double>() << '\n';

  const auto again = f(solution);
  const bool holds = torch::allclose(again[0], solution[0], 1e-4, 1e-4) &&
                     torch::allclose(again[1], solution[1], 1e-4, 1e-4);
  std::cout << (holds ? "each part equals what f makes of both\n" : "this is no fixed point\n");
  return holds && stats.converged() ? 0 : 1;
}
