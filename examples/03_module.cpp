// The layer as a LibTorch module. A network with one implicit layer learns to tell points in a disk from
// points outside it. It is trained, saved and loaded like any other module.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <iostream>
#include <sstream>

namespace sp = stillpoint;
using torch::Tensor;

/// tanh(z W + x), where W is scaled to a norm of at most 0.9. So it is a contraction with exactly one fixed
/// point, whatever training does to the weight.
struct CellImpl : torch::nn::Cloneable<CellImpl> {
  explicit CellImpl(std::int64_t size) : width(size) { CellImpl::reset(); }
  void reset() override { weight = register_parameter("weight", 0.1 * torch::randn({width, width})); }
  Tensor forward(const Tensor& z, const Tensor& x) {
    return torch::tanh(torch::mm(z, weight * (0.9 / weight.norm().clamp_min(0.9))) + x);
  }

  std::int64_t width;
  Tensor weight;
};
TORCH_MODULE(Cell);

struct NetImpl : torch::nn::Module {
  Tensor forward(const Tensor& points) { return read(layer(embed(points))); }

  torch::nn::Linear embed = register_module("embed", torch::nn::Linear(2, 16));
  sp::nn::FixedPoint layer = register_module("layer", sp::nn::FixedPoint(torch::nn::AnyModule(Cell(16))));
  torch::nn::Linear read = register_module("read", torch::nn::Linear(16, 2));
};
TORCH_MODULE(Net);

int main() {
  torch::manual_seed(0);
  const auto points = torch::rand({256, 2}) * 2 - 1;
  const auto labels = (points.norm(2, 1) > 0.7).to(torch::kLong);

  Net net;
  torch::optim::Adam optimizer(net->parameters(), 0.02);
  double loss_value = 0;
  for (int step = 0; step <= 150; ++step) {
    optimizer.zero_grad();
    const auto loss = torch::nn::functional::cross_entropy(net(points), labels);
    loss.backward();
    optimizer.step();
    loss_value = loss.item<double>();
    if (step % 50 == 0) {
      std::cout << "step " << step << ": loss " << loss_value << ", " << net->layer->stats().brief() << '\n';
    }
  }

  std::stringstream file;
  torch::save(net, file);
  Net loaded;
  torch::load(loaded, file);
  const bool same = torch::equal(loaded(points), net(points));
  std::cout << (same ? "the loaded network computes the same\n" : "the loaded network differs\n");
  return same && loss_value < 0.1 ? 0 : 1;
}
