#include "nn/damped_steps.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

namespace stillpoint::detail {
namespace {

using List = std::vector<at::Tensor>;

at::Tensor flat(const List& list) {
  List parts;
  parts.reserve(list.size());
  for (const at::Tensor& one : list) parts.push_back(one.detach().reshape({-1}));
  return at::cat(parts);
}

List shaped(const at::Tensor& vector, const List& like) {
  List parts;
  parts.reserve(like.size());
  std::int64_t begin = 0;
  for (const at::Tensor& one : like) {
    parts.push_back(vector.narrow(0, begin, one.numel()).view(one.sizes()));
    begin += one.numel();
  }
  return parts;
}

double inner_product(const at::Tensor& a, const at::Tensor& b) { return at::dot(a, b).item<double>(); }

// The loss near a point, to second order: f + gᵀd + ½ dᵀBd, with the weight decay in all three.
struct QuadraticModel {
  Curvature curvature;
  List parameters;
  at::Tensor x;         // flat
  at::Tensor decay;     // of each number; undefined if there is none
  at::Tensor gradient;  // flat

  QuadraticModel(Curvature recorded, const List& at, const std::vector<double>& decays)
      : curvature(std::move(recorded)), parameters(at), x(flat(at)), gradient(flat(curvature.gradient())) {
    if (std::all_of(decays.begin(), decays.end(), [](double one) { return one == 0; })) return;
    List parts;
    parts.reserve(at.size());
    for (std::size_t i = 0; i < at.size(); ++i) parts.push_back(at::full_like(at[i], decays[i]));
    decay = flat(parts);
    gradient = gradient + decay * x;
  }

  double penalty(const at::Tensor& at) const {
    return decay.defined() ? 0.5 * inner_product(decay * at, at) : 0.0;
  }
  at::Tensor product(const at::Tensor& v) const {
    const at::Tensor result = flat(curvature(shaped(v, parameters)));
    return decay.defined() ? result + decay * v : result;
  }
};

struct Direction {
  at::Tensor d;
  double slope = 0;      // gᵀd
  double curvature = 0;  // dᵀBd, without the damping

  /// The fall of the model along a part of d.
  double predicted(double length) const { return -length * (slope + 0.5 * length * curvature); }
};

// (B + damping · I) d = −g until the residual is within `allowed`, or until there is no positive curvature.
// If there is none at once, d is −g, as long as if the curvature were positive.
Direction truncated_cg(const QuadraticModel& model, double damping, double allowed, std::int64_t max_products,
                       nn::CurvatureStep& report) {
  const at::Tensor& g = model.gradient;
  at::Tensor d = at::zeros_like(g), r = g.clone(), p = -g, bend = at::zeros_like(g);
  double size = inner_product(r, r);
  while (report.products < max_products && size > allowed * allowed) {
    const at::Tensor product = model.product(p);
    ++report.products;
    const double squared = inner_product(p, p);
    const double curvature = inner_product(p, product) + damping * squared;
    if (!(curvature > 0)) {
      report.negative_curvature = true;
      if (report.products == 1) {
        const double scale = curvature < 0 ? squared / -curvature : 1.0;
        d = p * scale;
        bend = product * scale;
      }
      break;
    }
    const double length = size / curvature;
    d.add_(p, length);
    bend.add_(product, length);
    r.add_(product, length).add_(p, length * damping);
    const double next = inner_product(r, r);
    p = p * (next / size) - r;
    size = next;
  }
  return {d, inner_product(g, d), inner_product(d, bend)};
}

void move_to(const QuadraticModel& model, const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  const List parts = shaped(x, model.parameters);
  for (std::size_t i = 0; i < parts.size(); ++i) at::Tensor(model.parameters[i]).copy_(parts[i]);
}

double loss_at(const QuadraticModel& model, const at::Tensor& x, const std::function<at::Tensor()>& loss) {
  move_to(model, x);
  try {
    const at::Tensor value = loss();
    TORCH_CHECK(value.defined() && value.numel() == 1, "loss: expected a single number, as before the step");
    return value.item<double>() + model.penalty(x);
  } catch (...) {
    move_to(model, model.x);
    throw;
  }
}

// Halves the step until the loss falls by a part of what the slope promises. Where that is less than the
// rounding of the loss, it is enough that it does not rise.
void search(const QuadraticModel& model, const Direction& direction, const StepProblem& problem,
            const StepSettings& settings, nn::CurvatureStep& report) {
  const bool in_float = model.x.scalar_type() != at::kDouble;
  const double rounding =
      in_float ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  constexpr double kPartOfSlope = 1e-4;
  double length = settings.length;
  for (std::int64_t trial = 0; trial < settings.max_trials; ++trial, length /= 2) {
    const double loss = loss_at(model, model.x + length * direction.d, problem.loss);
    ++report.evaluations;
    if (trial == 0) report.gain = (report.loss_before - loss) / direction.predicted(length);
    const double promised = -length * direction.slope;
    const bool below_rounding = promised < 10 * rounding * std::abs(report.loss_before);
    const double least = below_rounding ? 0.0 : kPartOfSlope * promised;
    if (loss <= report.loss_before - least) {
      report.length = length;
      report.loss_after = loss;
      return;
    }
  }
  move_to(model, model.x);
}

}  // namespace

bool operator==(const StepSettings& a, const StepSettings& b) {
  const auto all = [](const StepSettings& s) {
    return std::tie(s.length, s.damping, s.adapts, s.max_products, s.tolerance, s.max_trials);
  };
  return all(a) == all(b);
}

at::Tensor DampedSteps::take(const StepProblem& problem, const List& parameters,
                             const std::vector<double>& decay, const StepSettings& settings) {
  const at::AutoGradMode recording(true);  // a loss may ask for gradients of its own
  const QuadraticModel model(problem.model(parameters), parameters, decay);
  const at::AutoGradMode off(false);
  if (damping_ < 0) damping_ = settings.damping;
  last_ = {.damping = settings.adapts ? damping_ : settings.damping, .evaluations = 1};
  last_.loss_before = last_.loss_after = model.curvature.value().item<double>() + model.penalty(model.x);
  last_.gradient_norm = std::sqrt(inner_product(model.gradient, model.gradient));
  TORCH_CHECK(std::isfinite(last_.loss_before) && std::isfinite(last_.gradient_norm),
              "loss: expected a finite number with a finite gradient, got ", last_.loss_before,
              " with a gradient of norm ", last_.gradient_norm);
  if (last_.gradient_norm == 0) return model.curvature.value();
  largest_gradient_ = std::max(largest_gradient_, last_.gradient_norm);
  const double forcing =
      std::min(settings.tolerance, settings.tolerance * std::sqrt(last_.gradient_norm / largest_gradient_));
  const Direction direction =
      truncated_cg(model, last_.damping, forcing * last_.gradient_norm, settings.max_products, last_);
  {
    const at::AutoGradMode on(true);
    search(model, direction, problem, settings, last_);
  }
  if (settings.adapts) adapt();
  return model.curvature.value();
}

// (Martens 2010, section 4.1.)
void DampedSteps::adapt() {
  constexpr double kFactor = 1.5;
  if (last_.gain > 0.75) {
    damping_ /= kFactor;
  } else if (!(last_.gain >= 0.25)) {  // NaN, too
    damping_ *= kFactor;
  }
}

void DampedSteps::save(torch::serialize::OutputArchive& archive) const {
  archive.write("damping", c10::IValue(damping_));
  archive.write("largest_gradient", c10::IValue(largest_gradient_));
}

void DampedSteps::load(torch::serialize::InputArchive& archive) {
  c10::IValue damping, largest_gradient;
  archive.read("damping", damping);
  archive.read("largest_gradient", largest_gradient);
  damping_ = damping.toDouble();
  largest_gradient_ = largest_gradient.toDouble();
}

void save_optimizer(const std::vector<torch::optim::OptimizerParamGroup>& groups, const DampedSteps& steps,
                    torch::serialize::OutputArchive& archive) {
  archive.write("groups", c10::IValue(static_cast<std::int64_t>(groups.size())));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    torch::serialize::OutputArchive group(archive.compilation_unit());
    group.write("parameters", c10::IValue(static_cast<std::int64_t>(groups[i].params().size())));
    groups[i].options().serialize(group);
    archive.write("group" + std::to_string(i), group);
  }
  torch::serialize::OutputArchive state(archive.compilation_unit());
  steps.save(state);
  archive.write("state", state);
}

void load_optimizer(std::vector<torch::optim::OptimizerParamGroup>& groups, DampedSteps& steps,
                    torch::serialize::InputArchive& archive) {
  c10::IValue count;
  archive.read("groups", count);
  TORCH_CHECK(count.toInt() == static_cast<std::int64_t>(groups.size()),
              "archive: expected an optimizer with ", groups.size(), " parameter groups, got one with ",
              count.toInt());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    torch::serialize::InputArchive group;
    archive.read("group" + std::to_string(i), group);
    c10::IValue parameters;
    group.read("parameters", parameters);
    TORCH_CHECK(parameters.toInt() == static_cast<std::int64_t>(groups[i].params().size()),
                "archive: expected an optimizer with ", groups[i].params().size(), " parameters in group ", i,
                ", got one with ", parameters.toInt());
    groups[i].options().serialize(group);
  }
  torch::serialize::InputArchive state;
  archive.read("state", state);
  steps.load(state);
}

}  // namespace stillpoint::detail
