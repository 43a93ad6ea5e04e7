#include "benchmarks.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using torch::Tensor;

namespace {

using Function = std::function<Tensor()>;

// A loss of outputs that depend on tensors, and vectors like these.
struct Case {
  std::string name;
  Function outputs;
  std::function<Tensor(const Tensor&)> loss_of;
  std::vector<Tensor> parameters;
  std::vector<Tensor> v;

  Tensor loss() const { return loss_of(outputs()); }
};

Case with_vectors(std::string name, Function outputs, std::function<Tensor(const Tensor&)> loss_of,
                  std::vector<Tensor> parameters) {
  std::vector<Tensor> v;
  v.reserve(parameters.size());
  for (const Tensor& one : parameters) v.push_back(torch::randn_like(one));
  return {std::move(name), std::move(outputs), std::move(loss_of), std::move(parameters), std::move(v)};
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
  const auto outputs = [weights, x] {
    Tensor h = x;
    for (std::size_t i = 0; i < weights.size(); i += 2) {
      h = torch::addmm(weights[i + 1], i == 0 ? h : torch::tanh(h), weights[i]);
    }
    return h;
  };
  const auto loss_of = [labels](const Tensor& h) { return torch::nn::functional::cross_entropy(h, labels); };
  return with_vectors(name, outputs, loss_of, of_inputs ? std::vector<Tensor>{x} : weights);
}

// The same of z = tanh(z W + x), in W.
Case equilibrium(std::int64_t width, std::int64_t batch) {
  const Tensor weight =
      (0.5 / std::sqrt(static_cast<double>(width)) * torch::randn({width, width})).requires_grad_();
  const Tensor x = torch::randn({batch, width});
  const auto outputs = [weight, x] {
    const auto f = [&](const Tensor& z) { return torch::tanh(torch::addmm(x, z, weight)); };
    return sp::fixed_point(f, torch::zeros_like(x)).value;
  };
  return with_vectors("fixed point, " + std::to_string(width) + " x " + std::to_string(batch), outputs,
                      [](const Tensor& z) { return z.square().mean(); }, {weight});
}

std::vector<Tensor> gradient_of(const Case& each) {
  return torch::autograd::grad({each.loss()}, each.parameters);
}

}  // namespace

void products(Table& table) {
  const bool of_inputs = true;
  const std::vector<Case> held{net({784, 512, 10}, 128, !of_inputs),
                               net({512, 512, 512, 10}, 128, !of_inputs),
                               net({512, 512, 512, 10}, 128, of_inputs)};
  const std::vector<Case> shown{net({512, 512, 512, 10}, 1, !of_inputs),
                                net({64, 64, 64, 10}, 128, !of_inputs), equilibrium(512, 32)};
  // What `make` prepares of a case is timed. A limit of 0 holds no case to one.
  const auto rows = [&](const char* heading, double limit, auto make) {
    table.heading(heading);
    for (const auto& [cases, is_held] : {std::pair(&held, true), std::pair(&shown, false)}) {
      for (const Case& each : *cases) {
        const double ratio = time_ratio(make(each), [&] { gradient_of(each); });
        if (is_held && limit > 0) {
          table.row(each.name, ratio, limit);
        } else {
          table.row(each.name, ratio);
        }
      }
    }
  };
  const auto loss = [](const Case& each) { return [&each] { return each.loss(); }; };
  rows("Hessian product / gradient", 2.5,
       [&](const Case& each) { return [&] { sp::hvp(loss(each), each.parameters, each.v); }; });
  const auto repeated = [](const Case& each, const sp::Curvature& curvature) {
    return [&each, curvature] { curvature(each.v); };
  };
  rows("One more Hessian product at the same point / gradient", 1.5,
       [&](const Case& each) { return repeated(each, sp::hessian_at(loss(each), each.parameters)); });
  rows("One more Gauss-Newton product / gradient", 0, [&](const Case& each) {
    return repeated(each, sp::gauss_newton_at(each.outputs, each.loss_of, each.parameters));
  });
}
