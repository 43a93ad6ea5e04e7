// Stillpoint's side of programs_compare.py, which describes the measurements. It stays alive so that both
// sides can take turns: each line of standard input is a request, each answer one line, both of them JSON.
//
// Request: batch, unknowns, rows, is_double, repeats, measure:
//     forward   the solution x, without gradients
//     gradient  the same, and of v'x in Q, p, G and h
//   data: a file with Q, p, G, h and v, each with the batch first, raw
//   result: where to write x and then the gradients, in the same form
// Answer: seconds (of all repeats), optimal (how many samples are), iterations (the most).

#include <torch/torch.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../ratio.h"
#include "requests.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using nlohmann::json;
using torch::Tensor;

namespace {

struct Data {
  sp::optim::QuadraticProgram program;
  Tensor v;

  std::vector<Tensor> parts() const { return {program.Q, program.p, program.G, program.h}; }
};

Data read_data(const json& request) {
  const std::int64_t batch = request.at("batch");
  const std::int64_t n = request.at("unknowns");
  const std::int64_t m = request.at("rows");
  const std::string path = request.at("data");
  const auto dtype = request.at("is_double").get<bool>() ? torch::kDouble : torch::kFloat;
  std::ifstream file(path, std::ios::binary);
  const auto next = [&](torch::IntArrayRef shape) {
    Tensor tensor = torch::empty(shape, dtype);
    file.read(static_cast<char*>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
    TORCH_CHECK(file.good(), "data: expected Q, p, G, h and v in ", path);
    return tensor;
  };
  Data data;
  data.program.Q = next({batch, n, n});
  data.program.p = next({batch, n});
  data.program.G = next({batch, m, n});
  data.program.h = next({batch, m});
  data.v = next({batch, n});
  return data;
}

void write(const std::string& path, const std::vector<Tensor>& tensors) {
  std::ofstream file(path, std::ios::binary);
  for (const Tensor& tensor : tensors) {
    const Tensor numbers = tensor.detach().contiguous();
    file.write(static_cast<const char*>(numbers.data_ptr()), static_cast<std::streamsize>(numbers.nbytes()));
  }
  file.close();
  TORCH_CHECK(file.good(), "result: cannot write ", path);
}

json answer(const json& request) {
  const Data data = read_data(request);
  const std::string measure = request.at("measure");
  const bool differentiates = measure == "gradient";
  TORCH_CHECK(differentiates || measure == "forward", "measure: expected forward or gradient, got ", measure);
  const torch::AutoGradMode mode(differentiates);
  for (const Tensor& part : data.parts()) part.requires_grad_(differentiates);
  sp::optim::ProgramSolution solution;
  std::vector<Tensor> results;
  const auto work = [&] {
    solution = sp::quadratic_program(data.program, {.on_failure = sp::OnFailure::Ignore});
    results = {solution.x};
    if (!differentiates) return;
    for (const Tensor& part : torch::autograd::grad({solution.x}, data.parts(), {data.v}))
      results.push_back(part);
  };
  work();
  write(request.at("result"), results);
  const auto& iterations = solution.stats.iterations;
  return {{"optimal", solution.stats.count(sp::optim::ProgramStatus::Optimal)},
          {"iterations", *std::max_element(iterations.begin(), iterations.end())},
          {"seconds", seconds(work, request.at("repeats"))},
          {"libtorch", TORCH_VERSION}};
}

}  // namespace

int main() { return answer_requests(answer); }
