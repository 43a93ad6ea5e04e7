// Second and third derivatives of everything that a program returns, in all of its data, beside differences
// of the exact derivatives one order below.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

using optim::ProgramSolution;

using Output = Tensor ProgramSolution::*;
using Parts = std::vector<Tensor>;

// Q, p, G, h, A, b, lower, upper. Zero is inside, and rows and bounds of either side are active.
Parts program_parts() {
  torch::manual_seed(4);
  const Tensor root = normal({2, 6, 6}) / 2;
  return {root.matmul(root.transpose(1, 2)) + .1 * torch::eye(6, options()),
          3 * normal({2, 6}),
          normal({2, 4, 6}),
          torch::rand({2, 4}, torch::kDouble).to(options()) + .05,
          normal({2, 6}),
          .1 * normal({2}),
          -.5 * torch::ones({6}, options()),
          torch::full({6}, .7, options())};
}

Parts directions_like(const Parts& parts) {
  Parts directions;
  for (const Tensor& part : parts) directions.push_back(normal(part.sizes()));
  return directions;
}

Parts moved(const Parts& parts, const Parts& directions, double by) {
  Parts there;
  for (std::size_t i = 0; i < parts.size(); ++i)
    there.push_back((parts[i] + by * directions[i]).detach().requires_grad_());
  return there;
}

ProgramSolution solve_parts(const Parts& v) {
  ProgramSolution s = quadratic_program({v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]});
  EXPECT_TRUE(s.stats.optimal()) << s.stats.full();
  EXPECT_FALSE(s.stats.weakly_active.any() || s.stats.dual_not_unique.any());
  return s;
}

// The gradient of the weighted output, differentiated along each of the directions.
Parts differentiated(Output output, const Tensor& weight, const Parts& parts,
                     const std::vector<Parts>& along) {
  Tensor number = (weight * solve_parts(parts).*output).sum();
  Parts result = gradients(number, parts, true);
  for (const Parts& directions : along) {
    number = zeros({});
    for (std::size_t i = 0; i < parts.size(); ++i) number = number + (result[i] * directions[i]).sum();
    result = gradients(number, parts, true);
  }
  return result;
}

class ProgramDerivatives : public testing::TestWithParam<std::pair<const char*, Output>> {};

TEST_P(ProgramDerivatives, AreTheDifferencesOfThoseBefore) {
  const Output output = GetParam().second;
  const Parts parts = moved(program_parts(), program_parts(), 0.0);
  const ProgramSolution at = solve_parts(parts);
  ASSERT_TRUE((at.*output != 0).any().item<bool>());
  const Tensor weight = normal((at.*output).sizes());
  std::vector<Parts> along;
  for (int order = 2; order <= 3; ++order) {
    along.push_back(directions_like(parts));
    const Parts exact = differentiated(output, weight, parts, along);
    const std::vector<Parts> before(along.begin(), along.end() - 1);
    const auto at_step = [&](double by) {
      return differentiated(output, weight, moved(parts, along.back(), by), before);
    };
    constexpr double h = 1e-4;
    const Parts up = at_step(h);
    const Parts down = at_step(-h);
    const Parts far_up = at_step(2 * h);
    const Parts far_down = at_step(-2 * h);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Tensor difference = (8 * (up[i] - down[i]) - (far_up[i] - far_down[i])) / (12 * h);
      EXPECT_TRUE(close(exact[i], difference, 1e-8)) << "order " << order << ", part " << i;
    }
  }
}

// Without a graph, gradients are written by kernels; with one, by operations that can be differentiated
// again.
TEST(QuadraticProgram, HasTheSameGradientsWithAndWithoutAGraph) {
  for (std::size_t shared = 0; shared <= 8; ++shared) {
    Parts parts = moved(program_parts(), program_parts(), 0.0);
    parts[4] = normal({2, 1, 6});  // a batch of rows, too
    parts[5] = parts[5].detach().view({2, 1});
    parts[3] = parts[3].detach().clone();
    parts[3][1][2] = kInfinity;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool is_own = i < 6;
      if (i == shared && is_own) parts[i] = parts[i][0];
      if (i == shared && !is_own) parts[i] = parts[i].expand({2, 6});
      parts[i] = parts[i].detach().clone().requires_grad_();
    }
    const ProgramSolution s =
        quadratic_program({parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6], parts[7]});
    ASSERT_TRUE(s.stats.optimal()) << s.stats.full();
    Tensor number = zeros({});
    for (const Tensor& output : {s.x, s.z, s.y, s.lower, s.upper})
      number = number + (normal(output.sizes()) * output).sum();
    const Parts plain = gradients(number, parts);
    const Parts recorded = gradients(number, parts, true);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      EXPECT_FALSE(plain[i].requires_grad());
      EXPECT_TRUE(close(plain[i], recorded[i], 1e-13)) << "part " << i << ", shared " << shared;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Outputs, ProgramDerivatives,
    testing::Values(std::pair{"x", &ProgramSolution::x}, std::pair{"z", &ProgramSolution::z},
                    std::pair{"y", &ProgramSolution::y}, std::pair{"lower", &ProgramSolution::lower},
                    std::pair{"upper", &ProgramSolution::upper}, std::pair{"slack", &ProgramSolution::slack}),
    [](const auto& output) { return std::string(output.param.first); });

}  // namespace
}  // namespace stillpoint::test
