#include "stillpoint/autograd/tape.h"

#include <gtest/gtest.h>

#include "autograd/tape_cases.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

constexpr double kTolerance = 1e-13;

std::vector<Tensor> captured_numbers() { return {normal({4, 4}), normal({4}), normal({3, 4})}; }

std::vector<Tensor> leaves(const std::vector<Tensor>& numbers) {
  std::vector<Tensor> result;
  for (const Tensor& t : numbers) result.push_back(t.detach().clone().requires_grad_());
  return result;
}

Tensor or_zeros(const Tensor& gradient, const Tensor& like) {
  return gradient.defined() ? gradient : torch::zeros_like(like);
}

// The engine's gradients of `number` in `inputs`, zeros where there is no dependence.
std::vector<Tensor> engine(const Tensor& number, const std::vector<Tensor>& inputs,
                           bool create_graph = false) {
  std::vector<Tensor> result(inputs.size());
  if (number.requires_grad())
    result = grad({number}, inputs, {}, create_graph || torch::GradMode::is_enabled(), create_graph,
                  /*allow_unused=*/true);
  for (std::size_t i = 0; i < inputs.size(); ++i) result[i] = or_zeros(result[i], inputs[i]);
  return result;
}

// The gradient that `pull_back` found for the tensor `c`; zeros if the tape did not find it captured.
Tensor pulled_back_to(const Tape& tape, const std::vector<Tensor>& pulled_back, const Tensor& c) {
  const auto edge = torch::autograd::impl::gradient_edge(c);
  for (std::size_t i = 0; i < tape.captured().size(); ++i) {
    if (tape.captured()[i] == edge) return or_zeros(pulled_back[i], c);
  }
  return torch::zeros_like(c);
}

class TapeOf : public testing::TestWithParam<TapeCase> {
 protected:
  Map map(const std::vector<Tensor>& captured) const {
    return [f = GetParam().f, captured](const Tensor& z) { return f(z, captured); };
  }
  const std::vector<Tensor> numbers_ = captured_numbers();
  const Tensor z_ = normal({3, 4});
};

TEST_P(TapeOf, ReplaysWhatTheEngineComputes) {
  for (const Tensor& z : {z_, z_.t().contiguous().t()}) {
    const auto c = leaves(numbers_);
    const Tape tape(map(c), z);
    const Tensor input = z.detach().requires_grad_();
    const Tensor value = GetParam().f(input, c);
    EXPECT_TRUE(identical(tape.value(), value));
    EXPECT_FALSE(tape.value().requires_grad());

    const Tensor v = normal(value.sizes());
    const auto expected = engine((value * v).sum(), {input, c[0], c[1], c[2]});
    for (int repetition = 0; repetition < 3; ++repetition) {
      EXPECT_TRUE(close(tape.vjp(v), expected[0], kTolerance));
      const auto pulled_back = tape.pull_back(v);
      ASSERT_EQ(pulled_back.size(), tape.captured().size());
      for (std::size_t i = 0; i < c.size(); ++i) {
        EXPECT_TRUE(close(pulled_back_to(tape, pulled_back, c[i]), expected[i + 1], kTolerance))
            << "captured " << i;
      }
    }
  }
}

TEST_P(TapeOf, GivesTheSameBitsEachTime) {
  const auto c = leaves(numbers_);
  const Tape tape(map(c), z_);
  const Tensor v = torch::ones_like(tape.value());
  const Tensor first = tape.vjp(v);
  tape.pull_back(v);
  tape.vjp(v * 3);
  EXPECT_TRUE(identical(tape.vjp(v), first));
}

TEST_P(TapeOf, CanBeDifferentiatedFurther) {
  const auto c = leaves(numbers_);
  const Tensor z = z_.clone().requires_grad_(), input = z_.clone().requires_grad_();
  const Tape tape(map(c), z, Tape::Input::Connected);
  const Tensor value = GetParam().f(input, c);
  const Tensor v = normal(value.sizes()).requires_grad_();

  const auto expected = engine((value * v).sum(), {input, c[0], c[1], c[2]}, true);
  std::vector<Tensor> actual{tape.vjp(v, true)};
  const auto pulled_back = tape.pull_back(v, true);
  for (const Tensor& t : c) actual.push_back(pulled_back_to(tape, pulled_back, t));

  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_TRUE(close(actual[i], expected[i], kTolerance)) << i;
    const Tensor weights = normal(actual[i].sizes());
    const auto second = engine((actual[i] * weights).sum(), {z, v, c[0], c[1], c[2]});
    const auto second_expected = engine((expected[i] * weights).sum(), {input, v, c[0], c[1], c[2]});
    for (std::size_t k = 0; k < second.size(); ++k) {
      EXPECT_TRUE(close(second[k], second_expected[k], kTolerance)) << "of gradient " << i << " in " << k;
    }
  }
}

// What f captured has a past here, and one captured tensor is made of another: gradients stop at each of
// them.
TEST_P(TapeOf, StopsAtWhatWasCaptured) {
  const Tensor root = normal({3, 4}).requires_grad_();
  const Tensor batch = root.sin();
  const Tensor vector_ = batch.sum(0);
  const std::vector<Tensor> upstream{batch.t().matmul(batch), vector_, batch};
  const Tape tape(map(upstream), z_);

  const auto c = leaves(upstream);
  const Tensor input = z_.clone().requires_grad_();
  const Tensor value = GetParam().f(input, c);
  const Tensor v = normal(value.sizes());
  // In z, too: of some inputs alone, LibTorch 1.13 fails where a view has been edited in place.
  const auto expected = engine((value * v).sum(), {input, c[0], c[1], c[2]});
  const auto pulled_back = tape.pull_back(v);
  for (std::size_t i = 0; i < c.size(); ++i) {
    EXPECT_TRUE(close(pulled_back_to(tape, pulled_back, upstream[i]), expected[i + 1], kTolerance))
        << "captured " << i;
  }
  // The graph upstream was not touched.
  const Tensor through = grad({upstream[0].sum() + vector_.sum()}, {root})[0];
  EXPECT_TRUE(close(through, (2 * batch.sum(1, true) + 1).detach() * root.detach().cos(), kTolerance));
}

TEST_P(TapeOf, ZerosStandForNoDependence) {
  const auto c = leaves(numbers_);
  const Tape tape(map(c), z_);
  EXPECT_TRUE(identical(tape.vjp(torch::zeros_like(tape.value())), torch::zeros_like(z_)));
}

INSTANTIATE_TEST_SUITE_P(Maps, TapeOf, testing::ValuesIn(tape_cases()), [](const auto& test) {
  std::string name = test.param.name;
  for (char& letter : name) letter = std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
  return name;
});

}  // namespace
}  // namespace stillpoint::test
