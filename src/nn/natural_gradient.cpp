#include "stillpoint/nn/natural_gradient.h"

#include <c10/util/Exception.h>

#include "nn/damped_steps.h"

namespace stillpoint::nn {
namespace {

constexpr const char* kNaturalGradient = "NaturalGradient";

void check_losses(const at::Tensor& losses) {
  TORCH_CHECK(losses.defined() && losses.dim() == 1 && losses.size(0) > 0,
              "closure: expected the negative log-likelihoods of samples, [B], got shape ",
              losses.defined() ? losses.sizes() : at::IntArrayRef{},
              "; for one loss of all outputs, use step(outputs, loss)");
}

// The mean of losses, with the mean of the squares of their gradients as its curvature.
Curvature empirical_fisher(const std::function<at::Tensor()>& losses, const std::vector<at::Tensor>& at) {
  const Curvature sum = fisher_at(losses, at);
  check_losses(sum.value());
  const auto part = 1.0 / static_cast<double>(sum.value().size(0));
  const auto scaled = [part](std::vector<at::Tensor> list) {
    for (at::Tensor& one : list) one = part * one;
    return list;
  };
  return {sum.value().mean(), scaled(sum.gradient()),
          [sum, scaled](const std::vector<at::Tensor>& v) { return scaled(sum(v)); }};
}

}  // namespace

NaturalGradientOptions::NaturalGradientOptions(double first_trial) : lr_(first_trial) {}
void NaturalGradientOptions::serialize(torch::serialize::InputArchive& archive) {
  detail::read_options(*this, archive);
}
void NaturalGradientOptions::serialize(torch::serialize::OutputArchive& archive) const {
  detail::write_options(*this, archive);
}
double NaturalGradientOptions::get_lr() const { return lr(); }
void NaturalGradientOptions::set_lr(double lr) { this->lr(lr); }

NaturalGradient::NaturalGradient(std::vector<torch::optim::OptimizerParamGroup> groups,
                                 const NaturalGradientOptions& defaults)
    : Optimizer(std::move(groups), std::make_unique<NaturalGradientOptions>(defaults)),
      steps_(std::make_unique<detail::DampedSteps>()) {
  detail::settings_of(defaults, kNaturalGradient);
}
NaturalGradient::NaturalGradient(std::vector<at::Tensor> parameters, const NaturalGradientOptions& defaults)
    : NaturalGradient({torch::optim::OptimizerParamGroup(std::move(parameters))}, defaults) {}
NaturalGradient::~NaturalGradient() = default;

at::Tensor NaturalGradient::step(const Outputs& outputs, const LossOfOutputs& loss) {
  TORCH_CHECK(outputs != nullptr, "outputs: expected a function that evaluates the model, got none");
  TORCH_CHECK(loss != nullptr, "loss: expected a function of the outputs, got none");
  return detail::take_step<NaturalGradientOptions>(
      *steps_,
      {[&](const std::vector<at::Tensor>& at) { return gauss_newton_at(outputs, loss, at); },
       [&] { return loss(outputs()); }},
      param_groups_, kNaturalGradient);
}

at::Tensor NaturalGradient::step(LossClosure closure) {
  TORCH_CHECK(closure != nullptr, "closure: expected a function that returns losses, got none");
  return detail::take_step<NaturalGradientOptions>(
      *steps_,
      {[&](const std::vector<at::Tensor>& at) { return empirical_fisher(closure, at); },
       [&] { return closure().mean(); }},
      param_groups_, kNaturalGradient);
}

const CurvatureStep& NaturalGradient::last_step() const { return steps_->last(); }

void NaturalGradient::save(torch::serialize::OutputArchive& archive) const {
  detail::save_optimizer(param_groups_, *steps_, archive);
}
void NaturalGradient::load(torch::serialize::InputArchive& archive) {
  detail::load_optimizer(param_groups_, *steps_, archive);
}

}  // namespace stillpoint::nn
