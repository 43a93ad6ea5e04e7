#include "stillpoint/nn/newton_cg.h"

#include <c10/util/Exception.h>

#include <string>

#include "nn/damped_steps.h"

namespace stillpoint::nn {
namespace {

constexpr const char* kNewtonCg = "NewtonCg";

Curvature recorded(const torch::optim::Optimizer::LossClosure& closure, const std::vector<at::Tensor>& at) {
  try {
    return hessian_at(closure, at);
  } catch (const c10::Error& error) {
    const bool freed =
        std::string(error.what()).find("backward through the graph a second time") != std::string::npos;
    TORCH_CHECK(!freed, "closure: expected a loss whose graph is still there; leave backward() out of it");
    throw;
  }
}

}  // namespace

NewtonCgOptions::NewtonCgOptions(double first_trial) : lr_(first_trial) {}
void NewtonCgOptions::serialize(torch::serialize::InputArchive& archive) {
  detail::read_options(*this, archive);
}
void NewtonCgOptions::serialize(torch::serialize::OutputArchive& archive) const {
  detail::write_options(*this, archive);
}
double NewtonCgOptions::get_lr() const { return lr(); }
void NewtonCgOptions::set_lr(double lr) { this->lr(lr); }

NewtonCg::NewtonCg(std::vector<torch::optim::OptimizerParamGroup> groups, const NewtonCgOptions& defaults)
    : Optimizer(std::move(groups), std::make_unique<NewtonCgOptions>(defaults)),
      steps_(std::make_unique<detail::DampedSteps>()) {
  detail::settings_of(defaults, kNewtonCg);
}
NewtonCg::NewtonCg(std::vector<at::Tensor> parameters, const NewtonCgOptions& defaults)
    : NewtonCg({torch::optim::OptimizerParamGroup(std::move(parameters))}, defaults) {}
NewtonCg::~NewtonCg() = default;

at::Tensor NewtonCg::step(LossClosure closure) {
  TORCH_CHECK(closure != nullptr, "closure: expected a function that returns the loss, got none");
  return detail::take_step<NewtonCgOptions>(
      *steps_, {[&](const std::vector<at::Tensor>& at) { return recorded(closure, at); }, closure},
      param_groups_, kNewtonCg);
}

const CurvatureStep& NewtonCg::last_step() const { return steps_->last(); }

void NewtonCg::save(torch::serialize::OutputArchive& archive) const {
  detail::save_optimizer(param_groups_, *steps_, archive);
}
void NewtonCg::load(torch::serialize::InputArchive& archive) {
  detail::load_optimizer(param_groups_, *steps_, archive);
}

}  // namespace stillpoint::nn
