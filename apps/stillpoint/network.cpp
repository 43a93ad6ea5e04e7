#include "network.h"

#include <torch/types.h>

namespace stillpoint::app {

void copy_weights(Network& from, Network& to) {
  const auto like = from.parameters().front();
  to.to(like.device(), like.scalar_type());
  torch::NoGradGuard no_grad;
  const auto copy_all = [](const std::vector<at::Tensor>& source, std::vector<at::Tensor> target) {
    for (std::size_t i = 0; i < source.size(); ++i) {
      target[i].copy_(source[i]);
    }
  };
  copy_all(from.parameters(), to.parameters());
  copy_all(from.buffers(), to.buffers());
}

}  // namespace stillpoint::app
