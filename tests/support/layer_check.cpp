#include "support/layer_check.h"

#include <gtest/gtest.h>

#include "support/compare.h"

namespace stillpoint::test {
namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

Function bind(const Layer& layer, Solve solve) {
  return
      [layer, solve = std::move(solve)](const std::vector<Tensor>& inputs) { return layer(solve, inputs); };
}

// Numbers without a pattern, the same for the same shape, so that no error in the derivative of a sum of
// weighted outputs cancels.
Tensor weights_like(const Tensor& t) {
  const auto indices = torch::arange(t.numel(), options()).reshape(t.sizes());
  return torch::cos(1.0 + indices * 1.7).to(t.scalar_type());
}

Tensor to_number(const std::vector<Tensor>& tensors) {
  Tensor sum = zeros({}, tensors[0].scalar_type());
  for (const Tensor& t : tensors) sum = sum + (weights_like(t) * (t + 0.5 * t * t)).sum();
  return sum;
}

std::vector<Tensor> gradients(const Tensor& number, const std::vector<Tensor>& inputs, bool create_graph) {
  std::vector<Tensor> result(inputs.size());
  if (number.requires_grad()) {
    result = torch::autograd::grad({number}, inputs, {}, create_graph, create_graph, /*allow_unused=*/true);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!result[i].defined()) result[i] = torch::zeros_like(inputs[i]);
  }
  return result;
}

std::vector<Tensor> leaves(const std::vector<Tensor>& tensors, torch::Dtype dtype) {
  std::vector<Tensor> result;
  for (const Tensor& t : tensors) result.push_back(t.detach().to(dtype).requires_grad_());
  return result;
}

// The same numbers laid out otherwise: transposed, or every other number of a longer tensor.
std::vector<Tensor> not_contiguous(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& t : tensors) {
    const Tensor strided = t.dim() >= 2 ? t.transpose(0, -1).contiguous().transpose(0, -1)
                                        : torch::stack({t, t}, -1).select(-1, 0);
    result.push_back(strided.detach().requires_grad_());
  }
  return result;
}

void expect_equal(const std::vector<std::vector<Tensor>>& actual,
                  const std::vector<std::vector<Tensor>>& expected,
                  const std::function<double(std::size_t order)>& tolerance, const std::string& what) {
  for (std::size_t k = 0; k < actual.size(); ++k) {
    for (std::size_t i = 0; i < actual[k].size(); ++i) {
      EXPECT_TRUE(close(actual[k][i], expected[k][i], tolerance(k)))
          << what << ", derivative of order " << k << " in input " << i;
    }
  }
}

// ⟨gradient, direction⟩ against a difference of fourth order along the direction, for a number and for the
// numbers that its derivatives make.
void check_finite_differences(const Function& function, const std::vector<Tensor>& inputs, int orders) {
  constexpr double h = 1e-3;
  for (int order = 1; order <= std::min(orders, 2); ++order) {
    const auto number_at = [&](const std::vector<Tensor>& at) {
      return to_number(derivatives(function, at, order - 1).back()).item<double>();
    };
    const auto slopes = derivatives(function, leaves(inputs, torch::kDouble), order).back();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Tensor direction = torch::sin(2.0 + 3.1 * weights_like(inputs[i]));
      const auto moved = [&](double step) {
        auto at = leaves(inputs, torch::kDouble);
        at[i] = (inputs[i].detach() + step * direction).requires_grad_();
        return number_at(at);
      };
      const double difference = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
      const double slope = (slopes[i] * direction).sum().item<double>();
      EXPECT_NEAR(slope, difference, 2e-8 * std::max(1.0, std::abs(difference)))
          << "finite differences of order " << order << " in input " << i;
    }
  }
}

std::vector<Tensor> values_of(const std::vector<Input>& inputs) {
  std::vector<Tensor> result;
  for (const Input& input : inputs) result.push_back(input.value);
  return result;
}

// Gradients of the weighted output of each sample alone: rows of the batch's for what is its own, and adding
// up to the batch's for what is shared.
void check_samples_alone(const Function& function, const std::vector<Input>& inputs, double tolerance) {
  const auto whole = leaves(values_of(inputs), torch::kDouble);
  const Tensor out = function(whole);
  const Tensor weights = weights_like(out);
  const auto of_batch = gradients((weights * out).sum(), whole, false);

  std::vector<Tensor> summed;
  for (const Tensor& t : whole) summed.push_back(torch::zeros_like(t));
  for (std::int64_t b = 0; b < out.size(0); ++b) {
    std::vector<Tensor> rows;
    for (const Input& in : inputs) rows.push_back(in.per_sample ? in.value.narrow(0, b, 1) : in.value);
    rows = leaves(rows, torch::kDouble);
    const Tensor alone = function(rows);
    EXPECT_TRUE(close(alone, out.narrow(0, b, 1), tolerance)) << "value of sample " << b << " alone";
    const auto of_row = gradients((weights.narrow(0, b, 1) * alone).sum(), rows, false);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      (inputs[i].per_sample ? summed[i].narrow(0, b, 1) : summed[i]) += of_row[i];
    }
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_TRUE(close(summed[i], of_batch[i], tolerance)) << "gradient in input " << i << ", samples alone";
  }
}

bool throws(const Function& function, const std::vector<Tensor>& inputs) {
  try {
    function(inputs);
  } catch (const c10::Error&) {
    return true;
  }
  return false;
}

// Whether the function throws if an input is one number too wide, for each of them in turn.
std::vector<bool> throws_if_too_wide(const Function& function, const std::vector<Tensor>& inputs) {
  std::vector<bool> result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto wrong = leaves(inputs, torch::kDouble);
    if (inputs[i].dim() > 0) {
      wrong[i] = torch::cat({inputs[i], inputs[i].narrow(-1, 0, 1)}, -1).detach().requires_grad_();
    }
    result.push_back(throws(function, wrong));
  }
  return result;
}

}  // namespace

std::vector<std::vector<Tensor>> derivatives(const Function& function, const std::vector<Tensor>& inputs,
                                             int orders) {
  std::vector<std::vector<Tensor>> result{{function(inputs)}};
  for (int k = 0; k < orders; ++k) {
    result.push_back(gradients(to_number(result.back()), inputs, /*create_graph=*/k + 1 < orders));
  }
  return result;
}

void check_layer(const Layer& layer, const std::vector<Input>& inputs, const LayerCheck& check) {
  const auto values = values_of(inputs);
  const Function loop = bind(layer, Solve::by_loop(check.reference_steps));
  const auto expected = derivatives(loop, leaves(values, torch::kDouble), check.orders);
  const auto misuse = throws_if_too_wide(loop, values);
  const auto in_double = [&](std::size_t) { return check.tolerance; };
  // A unit in the last place of a float is 1.2e-7; each order of differentiation loses about a digit.
  const auto in_float = [](std::size_t order) { return 2e-5 * std::pow(10.0, static_cast<double>(order)); };

  for (const Variant& variant : check.variants) {
    SCOPED_TRACE(variant.name);
    const Function function = bind(layer, Solve::by(variant.options(torch::kDouble)));
    expect_equal(derivatives(function, leaves(values, torch::kDouble), check.orders), expected, in_double,
                 "double");
    expect_equal(derivatives(function, not_contiguous(values), std::min(check.orders, 2)), expected,
                 in_double, "not contiguous");
    if (check.in_float) {
      const Function narrow = bind(layer, Solve::by(variant.options(torch::kFloat)));
      expect_equal(derivatives(narrow, leaves(values, torch::kFloat), std::min(check.orders, 2)), expected,
                   in_float, "float");
    }
    // What holds of the derivatives of one variant holds of those of the others, which are equal.
    if (&variant == &check.variants.front()) check_finite_differences(function, values, check.orders);
    check_samples_alone(function, inputs, check.tolerance);
    EXPECT_EQ(throws_if_too_wide(function, values), misuse) << "inputs of a wrong shape, in turn";
  }
}

}  // namespace stillpoint::test
