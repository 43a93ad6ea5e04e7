// Stillpoint's side of torchdeq_compare.py, which describes the measurements. It stays alive so that both
// sides can take turns: each line of standard input is a request, each answer one line, both of them JSON.
//
// Request: width, batch, solver (Picard, Anderson, Broyden), memory, tolerance (relative), max_iterations,
//   backward (Neumann, default), backward_relative and backward_absolute (tolerances), repeats,
//   measure:
//     bare      z <- f(z), `evaluations` times
//     forward   the solution z, without gradients
//     gradient  of sum(z²) with respect to W
//     penalty   gradient of the squared norm of that gradient
//     hessian   its derivative along V
//   data: a file with W [width, width], x [batch, width], V [width, width] in raw float32
//   result: where to write z and then what is measured, in the same form
// Answer: seconds (of all repeats), evaluations, products (of the first backward solve), method (of that),
// converged.

#include <torch/torch.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "../cell.h"
#include "../ratio.h"
#include "requests.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using nlohmann::json;

namespace {

struct Data {
  Cell cell;
  torch::Tensor direction;
};

Data read_data(const json& request) {
  const std::int64_t width = request.at("width");
  const std::int64_t batch = request.at("batch");
  const std::string path = request.at("data");
  std::ifstream file(path, std::ios::binary);
  const auto next = [&](std::int64_t rows) {
    torch::Tensor tensor = torch::empty({rows, width});
    file.read(static_cast<char*>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
    TORCH_CHECK(file.good(), "data: expected W, x and V in ", path);
    return tensor;
  };
  const torch::Tensor weight = next(width);
  const torch::Tensor x = next(batch);
  return {{width, batch, weight, x}, next(width)};
}

void write(std::ofstream& file, const torch::Tensor& tensor) {
  const torch::Tensor numbers = tensor.detach().contiguous();
  file.write(static_cast<const char*>(numbers.data_ptr()), static_cast<std::streamsize>(numbers.nbytes()));
}

sp::FixedPointSolver solver(const json& request) {
  const std::string name = request.at("solver");
  if (name == "Picard") return sp::Picard{};
  if (name == "Anderson") return sp::Anderson{.memory = request.at("memory")};
  TORCH_CHECK(name == "Broyden", "solver: expected Picard, Anderson or Broyden, got ", name);
  return sp::Broyden{.memory = request.at("memory")};
}

sp::FixedPointOptions options(const json& request) {
  sp::ImplicitGradient gradient{.tolerance = {.relative = request.at("backward_relative"),
                                              .absolute = request.at("backward_absolute")}};
  const std::int64_t max_iterations = request.at("max_iterations");
  if (request.at("backward") == "Neumann") {
    gradient.linear_solver = sp::Neumann{.max_iterations = max_iterations};
  }
  return {.solver = solver(request),
          .gradient = gradient,
          .tolerance = {.relative = request.at("tolerance"), .absolute = 0.0},
          .max_iterations = max_iterations,
          .on_failure = sp::OnFailure::Ignore};
}

/// One repeat of what is measured: its value (undefined if z is all), and the solution that it came from.
struct Outcome {
  torch::Tensor value;
  sp::Solution<torch::Tensor> solution;
};

class Measure {
 public:
  explicit Measure(const json& request)
      : data_(read_data(request)), options_(options(request)), kind_(request.at("measure")) {
    if (kind_ == "bare") evaluations_ = request.at("evaluations");
    TORCH_CHECK(kind_ == "bare" || kind_ == "forward" || kind_ == "gradient" || kind_ == "penalty" ||
                    kind_ == "hessian",
                "measure: expected bare, forward, gradient, penalty or hessian, got ", kind_);
    const bool differentiates = kind_ != "bare" && kind_ != "forward";
    data_.cell.weight.requires_grad_(differentiates);
    data_.cell.x.requires_grad_(differentiates);
  }

  Outcome operator()() const {
    const Cell& f = data_.cell;
    if (kind_ == "bare") return bare();
    Outcome outcome{{}, sp::fixed_point([&f](const torch::Tensor& z) { return f(z); }, f.start(), options_)};
    if (!f.weight.requires_grad()) return outcome;
    const bool second_order = kind_ != "gradient";
    const torch::Tensor loss = outcome.solution.value.square().sum();
    outcome.value = torch::autograd::grad({loss}, {f.weight, f.x}, {}, second_order, second_order)[0];
    if (!second_order) return outcome;
    const torch::Tensor scalar =
        kind_ == "penalty" ? outcome.value.square().sum() : (outcome.value * data_.direction).sum();
    outcome.value = torch::autograd::grad({scalar}, {f.weight})[0];
    return outcome;
  }

 private:
  Outcome bare() const {
    const torch::NoGradGuard no_grad;
    Outcome outcome;
    torch::Tensor z = data_.cell.start();
    for (std::int64_t i = 0; i < evaluations_; ++i) {
      z = data_.cell(z);
    }
    outcome.solution.value = z;
    return outcome;
  }

  Data data_;
  sp::FixedPointOptions options_;
  std::string kind_;
  std::int64_t evaluations_ = 0;
};

json answer(const json& request) {
  const Measure measure(request);
  const Outcome outcome = measure();
  const std::string path = request.at("result");
  std::ofstream file(path, std::ios::binary);
  write(file, outcome.solution.value);
  if (outcome.value.defined()) write(file, outcome.value);
  file.close();
  TORCH_CHECK(file.good(), "result: cannot write ", path);

  const sp::Stats& stats = outcome.solution.stats;
  json reply{{"seconds", seconds(measure, request.at("repeats"))},
             {"evaluations", stats.evaluations},
             {"converged", stats.converged()},
             {"libtorch", TORCH_VERSION}};
  if (stats.backward) {
    reply["products"] = stats.backward->evaluations;
    reply["method"] = stats.backward->method;
    reply["converged"] = stats.converged() && stats.backward->converged();
  }
  return reply;
}

}  // namespace

int main() { return answer_requests(answer); }
