// Stillpoint's side of odes_compare.py, which describes the measurements. It stays alive so that both sides
// can take turns: each line of standard input is a request, each answer one line, both of them JSON.
//
// Request: equation (a number), relative and absolute (tolerances), control (integral, that of the others, or
// default), repeats, measure:
//     data      nothing is measured
//     bare      f, `evaluations` times
//     forward   the solution, without gradients
//     gradient  of the sum of the solution in the parameters, by Discrete
//     adjoint   the same by Backsolve
// Answer to data: name, per_sample, y0, t and parameters, each as shape, is_double, numbers. To the others:
// seconds (of all repeats), evaluations, value (at the last time), gradient.

#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../equations.h"
#include "../ratio.h"
#include "requests.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using nlohmann::json;
using torch::Tensor;

namespace {

std::vector<Equation> all_equations() {
  torch::manual_seed(0);
  return {spiral_net(),
          true_spiral(),
          wide_net(),
          lotka_volterra(),
          flow(),
          van_der_pol(sp::ode::Steps::Joint),
          van_der_pol(sp::ode::Steps::PerSample)};
}

json numbers(const Tensor& tensor) {
  const Tensor flat = tensor.detach().to(torch::kDouble).contiguous().view(-1);
  return std::vector<double>(flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
}

json described(const Tensor& tensor) {
  return {{"shape", tensor.sizes().vec()},
          {"is_double", tensor.scalar_type() == torch::kDouble},
          {"numbers", numbers(tensor)}};
}

json data(const Equation& equation) {
  json parameters = json::array();
  for (const Tensor& parameter : equation.parameters) parameters.push_back(described(parameter));
  return {{"name", equation.name},
          {"per_sample", equation.options.steps == sp::ode::Steps::PerSample},
          {"y0", described(equation.y0)},
          {"t", described(equation.t.values)},
          {"parameters", parameters}};
}

json measured(Equation equation, const json& request) {
  const std::string measure = request.at("measure");
  const bool differentiates = measure == "gradient" || measure == "adjoint";
  TORCH_CHECK(differentiates || measure == "forward" || measure == "bare",
              "measure: expected data, bare, forward, gradient or adjoint, got ", measure);
  const torch::AutoGradMode mode(differentiates);
  if (measure == "bare") {
    const std::int64_t evaluations = request.at("evaluations");
    const auto work = [&] {
      for (std::int64_t i = 0; i < evaluations; ++i) equation.f.slope({}, equation.y0);
    };
    return {{"seconds", seconds(work, request.at("repeats"))}};
  }
  equation.options.method = sp::ode::Dopri5{};
  equation.options.tolerance = {.relative = request.at("relative"), .absolute = request.at("absolute")};
  equation.options.on_failure = sp::OnFailure::Throw;
  if (request.at("control") == "integral")
    equation.options.control = sp::ode::Pid{.proportional = 0.0, .integral = 1.0};
  if (measure == "adjoint")
    equation.options.gradient = sp::ode::Backsolve{.on_failure = sp::OnFailure::Ignore};
  std::vector<Tensor> gradient;
  sp::ode::Solution<Tensor> solution;
  const auto work = [&] {
    solution = equation.solve();
    if (differentiates) gradient = torch::autograd::grad({solution.value.sum()}, equation.parameters);
  };
  work();
  json answer{{"value", numbers(solution.value.select(1, -1))},
              {"evaluations", solution.stats.evaluations},
              {"libtorch", TORCH_VERSION},
              {"gradient", json::array()}};
  for (const Tensor& part : gradient) {
    for (const json& number : numbers(part)) answer["gradient"].push_back(number);
  }
  answer["seconds"] = seconds(work, request.at("repeats"));
  return answer;
}

}  // namespace

int main() {
  const std::vector<Equation> equations = all_equations();
  return answer_requests([&](const json& request) {
    const Equation& equation = equations.at(request.at("equation"));
    return request.at("measure") == "data" ? data(equation) : measured(equation, request);
  });
}
