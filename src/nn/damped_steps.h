#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <torch/optim/optimizer.h>
#include <torch/serialize/archive.h>

#include <functional>
#include <string>
#include <vector>

#include "stillpoint/autograd/curvature.h"
#include "stillpoint/nn/curvature_step.h"

namespace stillpoint::detail {

/// The options of a joint step, those of the first group.
struct StepSettings {
  double length;
  double damping;
  bool adapts;
  std::int64_t max_products;
  double tolerance;
  std::int64_t max_trials;
};

/// What is minimized: at the point, with its curvature, and anywhere else.
struct StepProblem {
  std::function<Curvature(const std::vector<at::Tensor>& parameters)> model;
  std::function<at::Tensor()> loss;
};

/// Steps d = −(B + damping · I)⁻¹ g by conjugate gradients, with a search along d; and what is remembered
/// from one to the next.
class DampedSteps {
 public:
  /// One step. `decay` has the weight decay of each parameter. Returns the loss before it.
  at::Tensor take(const StepProblem& problem, const std::vector<at::Tensor>& parameters,
                  const std::vector<double>& decay, const StepSettings& settings);

  const nn::CurvatureStep& last() const { return last_; }
  void save(torch::serialize::OutputArchive& archive) const;
  void load(torch::serialize::InputArchive& archive);

 private:
  void adapt();

  nn::CurvatureStep last_;
  double damping_ = -1;          // that of the options until it was adapted
  double largest_gradient_ = 0;  // norm
};

// What the options of both optimizers have in common.

template <class Options>
StepSettings settings_of(const Options& options, const char* name) {
  const auto require = [&](bool holds, const char* option, const char* expected, double got) {
    TORCH_CHECK(holds, name, ".", option, ": expected ", expected, ", got ", got);
  };
  require(options.lr() > 0, "lr", "> 0", options.lr());
  require(options.damping() >= 0, "damping", "≥ 0", options.damping());
  require(options.max_products() >= 1, "max_products", "≥ 1", static_cast<double>(options.max_products()));
  require(options.tolerance() > 0 && options.tolerance() < 1, "tolerance", "a number in (0, 1)",
          options.tolerance());
  require(options.max_trials() >= 1, "max_trials", "≥ 1", static_cast<double>(options.max_trials()));
  require(options.weight_decay() >= 0, "weight_decay", "≥ 0", options.weight_decay());
  return {options.lr(),           options.damping(),   options.adapt_damping(),
          options.max_products(), options.tolerance(), options.max_trials()};
}

bool operator==(const StepSettings& a, const StepSettings& b);

/// Takes a step with the parameters of all groups, whose options may differ in the weight decay alone.
template <class Options>
at::Tensor take_step(DampedSteps& steps, const StepProblem& problem,
                     std::vector<torch::optim::OptimizerParamGroup>& groups, const char* name) {
  std::vector<at::Tensor> parameters;
  std::vector<double> decay;
  TORCH_CHECK(!groups.empty(), name, ": expected parameters, got none");
  const auto& first = static_cast<const Options&>(groups[0].options());
  const StepSettings settings = settings_of(first, name);
  for (const auto& group : groups) {
    const auto& options = static_cast<const Options&>(group.options());
    TORCH_CHECK(settings_of(options, name) == settings, name,
                ": expected parameter groups whose options differ in weight_decay alone, since they take one "
                "step together");
    parameters.insert(parameters.end(), group.params().begin(), group.params().end());
    decay.insert(decay.end(), group.params().size(), options.weight_decay());
  }
  TORCH_CHECK(!parameters.empty(), name, ": expected parameters, got none");
  for (const at::Tensor& one : parameters) {
    TORCH_CHECK(one.requires_grad(), name, ": expected parameters that require a gradient");
    TORCH_CHECK(one.scalar_type() == parameters[0].scalar_type() && one.device() == parameters[0].device(),
                name, ": expected parameters of one dtype on one device, got ", one.scalar_type(), " on ",
                one.device(), " beside ", parameters[0].scalar_type(), " on ", parameters[0].device());
  }
  return steps.take(problem, parameters, decay, settings);
}

template <class Options>
void write_options(const Options& options, torch::serialize::OutputArchive& archive) {
  archive.write("lr", c10::IValue(options.lr()));
  archive.write("damping", c10::IValue(options.damping()));
  archive.write("adapt_damping", c10::IValue(options.adapt_damping()));
  archive.write("max_products", c10::IValue(options.max_products()));
  archive.write("tolerance", c10::IValue(options.tolerance()));
  archive.write("max_trials", c10::IValue(options.max_trials()));
  archive.write("weight_decay", c10::IValue(options.weight_decay()));
}

template <class Options>
void read_options(Options& options, torch::serialize::InputArchive& archive) {
  const auto read = [&](const char* name) {
    c10::IValue value;
    archive.read(name, value);
    return value;
  };
  options.lr(read("lr").toDouble());
  options.damping(read("damping").toDouble());
  options.adapt_damping(read("adapt_damping").toBool());
  options.max_products(read("max_products").toInt());
  options.tolerance(read("tolerance").toDouble());
  options.max_trials(read("max_trials").toInt());
  options.weight_decay(read("weight_decay").toDouble());
}

/// The options of all groups, and what the steps remember. The parameters are the module's to save.
void save_optimizer(const std::vector<torch::optim::OptimizerParamGroup>& groups, const DampedSteps& steps,
                    torch::serialize::OutputArchive& archive);
/// Throws if there were as many groups, or as many parameters in one, no more.
void load_optimizer(std::vector<torch::optim::OptimizerParamGroup>& groups, DampedSteps& steps,
                    torch::serialize::InputArchive& archive);

}  // namespace stillpoint::detail
