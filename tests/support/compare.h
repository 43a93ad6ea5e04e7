#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>

namespace stillpoint::test {

/// The largest absolute difference; NaN if there is one anywhere; 0 for empty tensors.
inline double max_difference(const at::Tensor& a, const at::Tensor& b) {
  const auto difference = (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs();
  return difference.numel() == 0 ? 0.0 : difference.max().item<double>();
}

/// Same shape, and equal to `tolerance` relative to the largest number expected, but at least to 1.
inline testing::AssertionResult close(const at::Tensor& actual, const at::Tensor& expected,
                                      double tolerance) {
  if (!actual.defined() || !expected.defined()) {
    return testing::AssertionFailure()
           << "undefined tensor: " << actual.defined() << " and " << expected.defined();
  }
  if (actual.sizes() != expected.sizes()) {
    return testing::AssertionFailure() << "shape " << actual.sizes() << ", expected " << expected.sizes();
  }
  const double scale = std::max(1.0, max_difference(expected, at::zeros_like(expected)));
  const double difference = max_difference(actual, expected);
  if (difference <= tolerance * scale) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "differs by " << difference << ", more than " << tolerance << " of "
                                     << scale;
}

/// Bit by bit, NaN included.
inline testing::AssertionResult identical(const at::Tensor& actual, const at::Tensor& expected) {
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return (a == b) | (a.isnan() & b.isnan());
  };
  if (actual.sizes() == expected.sizes() && same(actual, expected).all().item<bool>()) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "not identical; differs by " << max_difference(actual, expected);
}

/// What a c10::Error says, or "" (and a test failure) if none is thrown.
template <class Function>
std::string error_of(Function&& function) {
  try {
    function();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  ADD_FAILURE() << "no c10::Error was thrown";
  return "";
}

/// That the call throws a c10::Error whose text holds `text`.
template <class Function>
void expect_error(Function&& function, const std::string& text) {
  const auto message = error_of(function);
  EXPECT_NE(message.find(text), std::string::npos)
      << "the error does not say \"" << text << "\": " << message;
}

}  // namespace stillpoint::test
