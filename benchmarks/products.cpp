#include "benchmarks.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using torch::Tensor;

namespace {

using Function = std::function<Tensor()>;

// A number that depends on tensors, and vectors like these.
struct Case {
  std::string name;
  Function loss;
  std::vector<Tensor> parameters;
  std::vector<Tensor> v;
};

Case with_vectors(std::string name, Function loss, std::vector<Tensor> parameters) {
  std::vector<Tensor> v;
  for (const Tensor& one : parameters) v.push_back(torch::randn_like(one));
  return {std::move(name), std::move(loss), std::move(parameters), std::move(v)};
}

// Cross entropy of a net of tanh units: in its parameters, or in its inputs.
Case net(const std::vector<std::int64_t>& widths, std::int64_t batch, bool of_inputs) {
  std::string name = of_inputs ? "inputs of " : "parameters of ";
  std::vector<Tensor> weights;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    const double scale = 1 / std::sqrt(static_cast<double>(widths[i]));
    weights.push_back((scale * torch::randn({widths[i], widths[i + 1]})).requires_grad_(!of_inputs));
    weights.push_back(torch::zeros({widths[i + 1]}).requires_grad_(!of_inputs));
    name += std::to_string(widths[i]) + "-";
  }
  name += std::to_string(widths.back()) + ", batch " + std::to_string(batch);
  const Tensor x = torch::randn({batch, widths.front()}).requires_grad_(of_inputs);
  const Tensor labels = torch::randint(widths.back(), {batch}, torch::kLong);
  const auto loss = [weights, x, labels] {
    Tensor h = x;
    for (std::size_t i = 0; i < weights.size(); i += 2) {
      h = torch::addmm(weights[i + 1], i == 0 ? h : torch::tanh(h), weights[i]);
    }
    return torch::nn::functional::cross_entropy(h, labels);
  };
  return with_vectors(name, loss, of_inputs ? std::vector<Tensor>{x} : weights);
}

// The same of z = tanh(z W + x), in W.
Case equilibrium(std::int64_t width, std::int64_t batch) {
  const Tensor weight =
      (0.5 / std::sqrt(static_cast<double>(width)) * torch::randn({width, width})).requires_grad_();
  const Tensor x = torch::randn({batch, width});
  const auto loss = [weight, x] {
    const auto f = [&](const Tensor& z) { return torch::tanh(torch::addmm(x, z, weight)); };
    return sp::fixed_point(f, torch::zeros_like(x)).value.square().mean();
  };
  return with_vectors("fixed point, " + std::to_string(width) + " x " + std::to_string(batch), loss,
                      {weight});
}

std::vector<Tensor> gradient_of(const Case& each) {
  return torch::autograd::grad({each.loss()}, each.parameters);
}

}  // namespace

void products(Table& table) {
  const bool of_inputs = true;
  const std::vector<Case> held{
      net({784, 512, 10}, 128, !of_inputs), net({512, 512, 512, 10}, 128, !of_inputs),
      net({512, 512, 512, 10}, 1, !of_inputs), net({512, 512, 512, 10}, 128, of_inputs)};
  const std::vector<Case> shown{net({64, 64, 64, 10}, 128, !of_inputs), equilibrium(512, 32)};
  table.heading("Hessian product / gradient");
  for (const Case& each : held) {
    const auto work = [&] { sp::hvp(each.loss, each.parameters, each.v); };
    table.row(each.name, time_ratio(work, [&] { gradient_of(each); }), 2.5);
  }
  for (const Case& each : shown) {
    const auto work = [&] { sp::hvp(each.loss, each.parameters, each.v); };
    table.row(each.name, time_ratio(work, [&] { gradient_of(each); }));
  }
  table.heading("One more Hessian product at the same point / gradient");
  for (const Case& each : held) {
    const auto hessian = sp::hessian_at(each.loss, each.parameters);
    table.row(each.name, time_ratio([&] { hessian(each.v); }, [&] { gradient_of(each); }), 1.5);
  }
  for (const Case& each : shown) {
    const auto hessian = sp::hessian_at(each.loss, each.parameters);
    table.row(each.name, time_ratio([&] { hessian(each.v); }, [&] { gradient_of(each); }));
  }
}
