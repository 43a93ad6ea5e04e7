// The tableaus, held to the order conditions, and the methods to the order they show.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ode/candidates.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"

namespace stillpoint::test {
namespace {

using Row = std::vector<double>;

class Tableaus : public testing::TestWithParam<MethodCandidate> {};
class Methods : public testing::TestWithParam<MethodCandidate> {};

Row product(const Row& x, const Row& y) {
  Row result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) result[i] = x[i] * y[i];
  return result;
}

Row a_times(const ode::Tableau& t, const Row& x) {
  Row result(x.size(), 0.0);
  for (std::size_t i = 0; i < t.a.size(); ++i) {
    for (std::size_t j = 0; j < t.a[i].size(); ++j) result[i] += t.a[i][j] * x[j];
  }
  return result;
}

double dot(const Row& x, const Row& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

struct Tree {
  int order;
  Row weights;   // Φ_i, so that Σ b_i Φ_i is the elementary weight
  double value;  // 1 / γ
};

// Adds all trees of `order` that hang these many nodes more, and trees from `first` on, below `root`.
void grow(const std::vector<Tree>& known, const std::vector<Row>& branches, int order, int rest,
          std::size_t first, const Tree& root, std::vector<Tree>& grown) {
  if (rest == 0) {
    grown.push_back({order, root.weights, root.value / order});
    return;
  }
  for (std::size_t k = first; k < known.size() && known[k].order <= rest; ++k) {
    const Tree more{order, product(root.weights, branches[k]), root.value * known[k].value};
    grow(known, branches, order, rest - known[k].order, k, more, grown);
  }
}

// All rooted trees up to order eight, 200 of them (Hairer, Nørsett, Wanner, I, II.2).
std::vector<Tree> trees(const ode::Tableau& t) {
  std::vector<Tree> all{{1, Row(t.stages(), 1.0), 1.0}};
  std::vector<Row> branches{a_times(t, all[0].weights)};
  for (int order = 2; order <= 8; ++order) {
    std::vector<Tree> grown;
    grow(all, branches, order, order - 1, 0, {order, Row(t.stages(), 1.0), 1.0}, grown);
    for (Tree& tree : grown) {
      branches.push_back(a_times(t, tree.weights));
      all.push_back(std::move(tree));
    }
  }
  return all;
}

TEST(Trees, AreAsManyAsThereAre) { EXPECT_EQ(trees(ode::Tsit5::tableau()).size(), 200U); }

TEST_P(Tableaus, StagesAreConsistent) {
  const ode::Tableau& t = *GetParam().method.tableau();
  ASSERT_EQ(t.c.size(), t.stages());
  ASSERT_EQ(t.a.size(), t.stages());
  const Row sums = a_times(t, Row(t.stages(), 1.0));
  for (std::size_t i = 0; i < t.stages(); ++i) EXPECT_NEAR(sums[i], t.c[i], 1e-14) << "stage " << i;
}

TEST_P(Tableaus, SatisfiesTheOrderConditions) {
  const ode::Tableau& t = *GetParam().method.tableau();
  double largest_beyond = 0.0;
  for (const Tree& tree : trees(t)) {
    const double defect = std::abs(dot(t.b, tree.weights) - tree.value);
    if (tree.order <= t.order) {
      EXPECT_LT(defect, 2e-14) << "a tree of order " << tree.order;
    }
    if (tree.order == t.order + 1) largest_beyond = std::max(largest_beyond, defect);
  }
  if (t.order < 8) {
    EXPECT_GT(largest_beyond, 1e-6) << "the order is higher than it says";
  }
}

TEST_P(Tableaus, TheEmbeddedMethodHasItsOrderAndNoMore) {
  const ode::Tableau& t = *GetParam().method.tableau();
  if (t.error.empty()) return;
  double beyond = 0.0;
  for (const Tree& tree : trees(t)) {
    const double difference = std::abs(dot(t.error, tree.weights));
    if (tree.order <= t.embedded_order) {
      EXPECT_LT(difference, 2e-14) << "a tree of order " << tree.order;
    }
    if (tree.order == t.embedded_order + 1) beyond = std::max(beyond, difference);
  }
  EXPECT_GT(beyond, 1e-6) << "the estimate sees no error of its order";
}

// At each θ, Σ b_i(θ) Φ_i = θ^order / γ.
TEST_P(Tableaus, DenseOutputHasItsOrder) {
  const ode::Tableau& t = *GetParam().method.tableau();
  if (t.interpolant.empty()) return;
  // A polynomial of this degree cannot have more.
  const int order = std::min(t.order, static_cast<int>(t.interpolant[0].size()));
  for (const double theta : {0.1, 0.37, 0.5, 0.83, 1.0}) {
    Row b;
    for (const Row& p : t.interpolant) {
      double value = 0;
      for (std::size_t m = 0; m < p.size(); ++m) value += p[m] * std::pow(theta, static_cast<double>(m + 1));
      b.push_back(value);
    }
    for (const Tree& tree : trees(t)) {
      if (tree.order > order) continue;
      EXPECT_NEAR(dot(b, tree.weights), tree.value * std::pow(theta, tree.order), 2e-13)
          << "a tree of order " << tree.order << " at " << theta;
    }
    for (std::size_t i = 0; theta == 1.0 && i < b.size(); ++i) EXPECT_NEAR(b[i], t.b[i], 2e-13) << i;
  }
}

// Of y' = y cos t, whose c coefficients count, at the end and inside steps; separable methods turn a point by
// the angle sin t.
TEST_P(Methods, ShowsItsOrder) {
  const ode::Method& method = GetParam().method;
  const bool separable = GetParam().separable;
  const auto error = [&](double step, const std::vector<double>& t) {
    const auto y0 =
        separable ? torch::tensor({{1.0, 0.0}}, torch::kDouble) : torch::ones({1, 1}, torch::kDouble);
    const auto turned = [](const Tensor& s) { return torch::stack({s.select(1, 1), -s.select(1, 0)}, 1); };
    const auto f = [&](const Tensor& at, const Tensor& s) {
      return torch::cos(at) * (separable ? turned(s) : s);
    };
    const auto [y, stats] = odeint(f, y0, t, {.method = method, .control = ode::ConstantStep{step}});
    double largest = 0;
    for (std::size_t k = 0; k < t.size(); ++k) {
      const double right = separable ? std::cos(std::sin(t[k])) : std::exp(std::sin(t[k]));
      const double found = y[0][static_cast<std::int64_t>(k)][0].item<double>();
      largest = std::max(largest, std::abs(found - right));
    }
    return largest;
  };
  const int order = method.order();
  // Long enough for rounding not to be seen.
  const double step = order > 5 ? 0.4 : 0.04;
  const double at_end = std::log2(error(step, {0, 2}) / error(step / 2, {0, 2}));
  EXPECT_NEAR(at_end, order, 0.5);
  // The outputs lie at the same fraction of a step for both lengths.
  const double inside = order > 5 ? std::log2(error(0.5, {0, 1.175, 2}) / error(0.25, {0, 1.0875, 2}))
                                  : std::log2(error(0.2, {0, 1.07, 2}) / error(0.1, {0, 1.035, 2}));
  EXPECT_GT(inside, std::min(order, 4) - 0.6);
}

std::vector<MethodCandidate> tableaus() {
  std::vector<MethodCandidate> all = method_candidates();
  std::erase_if(all, [](const MethodCandidate& c) { return c.method.tableau() == nullptr; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Tableaus, testing::ValuesIn(tableaus()),
                         [](const auto& tested) { return tested.param.name; });
INSTANTIATE_TEST_SUITE_P(All, Methods, testing::ValuesIn(method_candidates()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace stillpoint::test
