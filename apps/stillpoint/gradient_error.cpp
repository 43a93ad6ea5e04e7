#include "gradient_error.h"

#include <torch/autograd.h>
#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include <algorithm>
#include <vector>

#include "variants.h"

namespace stillpoint::app {
namespace {

std::vector<at::Tensor> loss_gradient(Classifier model, const Examples& batch) {
  const auto loss = torch::nn::functional::cross_entropy(model->forward(batch.images), batch.labels);
  return torch::autograd::grad({loss}, model->parameters());
}

}  // namespace

std::optional<double> gradient_error(Classifier model, const Examples& batch) {
  const auto gradient = loss_gradient(model, batch);
  auto reference = copy_weights(model, reference_options());
  reference->to(torch::kDouble);
  const auto exact = loss_gradient(reference, {batch.images.to(torch::kDouble), batch.labels});
  if (!reference->stats().converged()) {
    return std::nullopt;
  }
  double error = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const auto difference = (gradient[i].to(torch::kDouble) - exact[i]).abs().max() / exact[i].abs().max();
    error = std::max(error, difference.item<double>());
  }
  return error;
}

}  // namespace stillpoint::app
