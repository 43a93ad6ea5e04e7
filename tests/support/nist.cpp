#include "support/nist.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numbers>
#include <sstream>

namespace stillpoint::test {
namespace {

// Parameters as columns that broadcast against predictors, counted from one as in the files.
struct Parameters {
  const Tensor& all;
  Tensor operator[](std::int64_t i) const { return all.slice(1, i - 1, i); }
};

using Model = std::function<Tensor(const Parameters& b, const Tensor& x)>;

Tensor gaussian(const Tensor& x, const Tensor& height, const Tensor& center, const Tensor& width) {
  return height * torch::exp(-(x - center).square() / width.square());
}

Tensor two_gaussians(const Parameters& b, const Tensor& x) {
  return b[1] * torch::exp(-b[2] * x) + gaussian(x, b[3], b[4], b[5]) + gaussian(x, b[6], b[7], b[8]);
}

Tensor three_exponentials(const Parameters& b, const Tensor& x) {
  return b[1] * torch::exp(-b[2] * x) + b[3] * torch::exp(-b[4] * x) + b[5] * torch::exp(-b[6] * x);
}

Tensor saturation(const Parameters& b, const Tensor& x) { return b[1] * (1 - torch::exp(-b[2] * x)); }

Tensor decay_over_line(const Parameters& b, const Tensor& x) {
  return torch::exp(-b[1] * x) / (b[2] + b[3] * x);
}

Tensor cubic_over_cubic(const Parameters& b, const Tensor& x) {
  return (b[1] + b[2] * x + b[3] * x.square() + b[4] * x.pow(3)) /
         (1 + b[5] * x + b[6] * x.square() + b[7] * x.pow(3));
}

Tensor cycle(const Tensor& x, const Tensor& cosine, const Tensor& sine, const Tensor& period) {
  const Tensor phase = 2 * std::numbers::pi * x / period;
  return cosine * torch::cos(phase) + sine * torch::sin(phase);
}

Tensor three_cycles(const Parameters& b, const Tensor& x) {
  return b[1] + cycle(x, b[2], b[3], torch::full_like(b[1], 12)) + cycle(x, b[5], b[6], b[4]) +
         cycle(x, b[8], b[9], b[7]);
}

const std::map<std::string, Model>& models() {
  static const std::map<std::string, Model> all{
      {"Bennett5", [](const auto& b, const auto& x) { return b[1] * torch::pow(b[2] + x, -1 / b[3]); }},
      {"BoxBOD", saturation},
      {"Chwirut1", decay_over_line},
      {"Chwirut2", decay_over_line},
      {"DanWood", [](const auto& b, const auto& x) { return b[1] * torch::pow(x, b[2]); }},
      {"ENSO", three_cycles},
      {"Eckerle4",
       [](const auto& b, const auto& x) {
         return b[1] / b[2] * torch::exp(-0.5 * ((x - b[3]) / b[2]).square());
       }},
      {"Gauss1", two_gaussians},
      {"Gauss2", two_gaussians},
      {"Gauss3", two_gaussians},
      {"Hahn1", cubic_over_cubic},
      {"Kirby2",
       [](const auto& b, const auto& x) {
         return (b[1] + b[2] * x + b[3] * x.square()) / (1 + b[4] * x + b[5] * x.square());
       }},
      {"Lanczos1", three_exponentials},
      {"Lanczos2", three_exponentials},
      {"Lanczos3", three_exponentials},
      {"MGH09",
       [](const auto& b, const auto& x) {
         return b[1] * (x.square() + x * b[2]) / (x.square() + x * b[3] + b[4]);
       }},
      {"MGH10", [](const auto& b, const auto& x) { return b[1] * torch::exp(b[2] / (x + b[3])); }},
      {"MGH17",
       [](const auto& b, const auto& x) {
         return b[1] + b[2] * torch::exp(-x * b[4]) + b[3] * torch::exp(-x * b[5]);
       }},
      {"Misra1a", saturation},
      {"Misra1b", [](const auto& b, const auto& x) { return b[1] * (1 - (1 + b[2] * x / 2).pow(-2)); }},
      {"Misra1c", [](const auto& b, const auto& x) { return b[1] * (1 - (1 + 2 * b[2] * x).pow(-0.5)); }},
      {"Misra1d", [](const auto& b, const auto& x) { return b[1] * b[2] * x / (1 + b[2] * x); }},
      {"Nelson",
       [](const auto& b, const auto& x) {
         return b[1] - b[2] * x.select(0, 0) * torch::exp(-b[3] * x.select(0, 1));
       }},
      {"Rat42", [](const auto& b, const auto& x) { return b[1] / (1 + torch::exp(b[2] - b[3] * x)); }},
      {"Rat43", [](const auto& b,
                   const auto& x) { return b[1] / torch::pow(1 + torch::exp(b[2] - b[3] * x), 1 / b[4]); }},
      {"Roszman1",
       [](const auto& b, const auto& x) {
         return b[1] - b[2] * x - torch::atan(b[3] / (x - b[4])) / std::numbers::pi;
       }},
      {"Thurber", cubic_over_cubic}};
  return all;
}

std::vector<double> numbers_in(const std::string& text) {
  std::istringstream stream(text);
  std::vector<double> numbers;
  for (double number = 0; stream >> number;) numbers.push_back(number);
  return numbers;
}

// The number after a title such as "Residual Sum of Squares:", if the line has it.
void read_titled(const std::string& line, const std::string& title, double& number) {
  const auto at = line.find(title);
  if (at != std::string::npos) number = std::stod(line.substr(at + title.size()));
}

struct NistFile {
  std::vector<std::vector<double>> parameters;    // two starts, the certified number and its deviation, each
  std::vector<std::vector<double>> observations;  // y and predictors
  double sum_of_squares = 0;
  double deviation = 0;

  explicit NistFile(const std::filesystem::path& path) {
    std::ifstream file(path);
    TORCH_CHECK(file.is_open(), "cannot read ", path.string());
    for (std::string line; std::getline(file, line);) read(line);
  }

 private:
  void read(const std::string& line) {
    // The title of the columns comes last.
    if (line.starts_with("Data:")) observations.clear();
    read_titled(line, "Residual Sum of Squares:", sum_of_squares);
    read_titled(line, "Residual Standard Deviation:", deviation);
    const auto equals = line.find('=');
    const auto begin = line.find_first_not_of(' ');
    if (equals != std::string::npos && line[begin] == 'b') {
      const auto numbers = numbers_in(line.substr(equals + 1));
      if (numbers.size() == 4) parameters.push_back(numbers);
    }
    const auto numbers = numbers_in(line);
    if (numbers.size() >= 2) observations.push_back(numbers);
  }
};

Tensor column_of(const std::vector<std::vector<double>>& rows, std::size_t i) {
  std::vector<double> numbers;
  for (const auto& row : rows) numbers.push_back(row.at(i));
  return vector(numbers);
}

}  // namespace

const std::vector<std::string>& nist_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, model] : models()) all.push_back(name);
    return all;
  }();
  return names;
}

NistProblem read_nist(const std::filesystem::path& directory, const std::string& name) {
  const NistFile file(directory / (name + ".dat"));
  TORCH_CHECK(!file.parameters.empty() && !file.observations.empty(), name, ": no data");
  std::vector<Tensor> predictors;
  for (std::size_t i = 1; i < file.observations[0].size(); ++i)
    predictors.push_back(column_of(file.observations, i));
  const Tensor y = column_of(file.observations, 0);
  const Tensor x = torch::stack(predictors);
  const auto of_parameters = [&](std::size_t i) { return column_of(file.parameters, i).unsqueeze(0); };
  const Tensor used = x.size(0) == 1 ? x[0] : x;
  const Model model = models().at(name);
  return {.name = name,
          .y = name == "Nelson" ? y.log() : y,
          .x = x.t(),
          .starts = {of_parameters(0), of_parameters(1)},
          .certified = of_parameters(2),
          .deviations = of_parameters(3),
          .sum_of_squares = file.sum_of_squares,
          .deviation = file.deviation,
          .model = [model, used](const Tensor& b) { return model(Parameters{b}, used); }};
}

double agreeing_digits(const Tensor& numbers, const Tensor& certified) {
  const double error = ((numbers - certified) / certified).abs().max().item<double>();
  return std::min(11.0, -std::log10(error));
}

std::filesystem::path nist_directory() {
  const char* name = std::getenv("STILLPOINT_NIST_DIR");
  return name == nullptr ? "" : name;
}

}  // namespace stillpoint::test
