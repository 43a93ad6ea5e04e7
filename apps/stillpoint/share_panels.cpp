#include "share_panels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

#include <string>
#include <tuple>
#include <utility>

#include "task.h"

namespace stillpoint::app {
namespace {

constexpr const char* kSteps = "linespoints linewidth 2 pointtype 7 pointsize 0.6";

/// Numbers over their places, which begin at `first`.
Curve curve_over(std::string title, const at::Tensor& numbers, double first, std::string style = kSteps,
                 bool colored = true) {
  Curve curve{.title = std::move(title), .style = std::move(style), .points = {}, .colored = colored};
  for (const double number : numbers_of(numbers)) curve.points.emplace_back(first++, number);
  return curve;
}

Curve truth_over(const at::Tensor& numbers) {
  return curve_over("the truth", numbers, 0, "lines linewidth 2 dashtype 2", false);
}

at::Tensor outputs_of(const TrainedVariant& variant, const at::Tensor& inputs) {
  variant.network->eval();
  return variant.network->forward(inputs);
}

/// The mean of the numbers of each digit from 0 to 9.
at::Tensor mean_of_digits(const at::Tensor& numbers, const at::Tensor& digits) {
  std::vector<at::Tensor> means;
  for (std::int64_t digit = 0; digit < 10; ++digit) {
    means.push_back(numbers.masked_select(digits.eq(digit)).to(torch::kDouble).mean());
  }
  return torch::stack(means);
}

}  // namespace

std::vector<Panel> share_panels(const std::vector<TrainedVariant*>& variants, const Examples& test) {
  const torch::NoGradGuard no_grad;
  Panel support{.title = "Classes with a share of an image",
                .x_label = "classes",
                .y_label = "test images (%)",
                .settings = "set xrange [0.5:10.5]\nset yrange [0:105]\nset xtics 1\nset key top center\n",
                .curves = {}};
  Panel image{.title = "",
              .x_label = "class",
              .y_label = "share",
              .settings = "set xrange [-0.5:9.5]\nset yrange [0:1.05]\nset xtics 1\n",
              .curves = {}};
  at::Tensor unsure;
  for (const auto* variant : variants) {
    const auto shares = outputs_of(*variant, test.inputs);
    const auto sizes = shares.gt(0).sum(1);
    const auto counts = torch::bincount(sizes.flatten(), {}, 11).slice(0, 1).to(torch::kDouble);
    support.curves.push_back(curve_over(variant->name, 100 * counts / counts.sum(), 1));
    if (!unsure.defined()) unsure = std::get<0>(shares.max(1)).argmin();
    image.curves.push_back(curve_over(variant->name, shares[unsure.item<std::int64_t>()], 0));
  }
  image.title = fmt::format("An image of class {}", test.targets[unsure.item<std::int64_t>()].item<int>());
  return {std::move(support), std::move(image)};
}

std::vector<Panel> choice_panels(const std::vector<TrainedVariant*>& variants, const Examples& test) {
  const torch::NoGradGuard no_grad;
  const std::string look = "set yrange [-0.05:1.3]\nset key top left\n";
  const auto chosen = choices(test.targets);
  const auto [digits, order] = test.targets[0].sort();
  std::vector<std::string> tics;
  for (const double digit : numbers_of(digits)) tics.push_back(fmt::format("'{}' {}", digit, tics.size()));
  Panel all{.title = "Images of a digit, over all test sets",
            .x_label = "digit",
            .y_label = "chosen (mean)",
            .settings = look + "set xrange [-0.5:9.5]\nset xtics 1\n",
            .curves = {truth_over(mean_of_digits(chosen, test.targets))}};
  Panel one{.title = "The images of one test set",
            .x_label = "digit of the image",
            .y_label = "chosen",
            .settings = look + fmt::format("set xrange [-0.5:7.5]\nset xtics ({})\n", fmt::join(tics, ", ")),
            .curves = {truth_over(chosen[0].index_select(0, order))}};
  for (const auto* variant : variants) {
    const auto outputs = outputs_of(*variant, test.inputs);
    all.curves.push_back(curve_over(variant->name, mean_of_digits(outputs, test.targets), 0));
    one.curves.push_back(curve_over(variant->name, outputs[0].index_select(0, order), 0));
  }
  return {std::move(all), std::move(one)};
}

}  // namespace stillpoint::app
