// The test systems themselves: that they are the published ones.
#include "support/more_garbow_hillstrom.h"

#include <gtest/gtest.h>

#include "support/compare.h"

namespace stillpoint::test {
namespace {

TEST(MoreGarbowHillstrom, ResidualsAtTheStandardStartsAreThePublishedOnes) {
  // Of the formulas in 50 digits; MINPACK's vecfcn agrees.
  const std::vector<std::pair<std::string, double>> norms{
      {"Rosenbrock", 4.9193495504995373},
      {"Powell singular", 14.662878298615180},
      {"Powell badly scaled", 1.0654866105908504},
      {"Wood", 8550.5574087307314},
      {"helical valley", 50.0},
      {"Watson 6", 68.485872286130855},
      {"Watson 9", 88.789552173916175},
      {"Chebyquad 5", 0.22570656557089262},
      {"Chebyquad 6", 0.21547197566611947},
      {"Chebyquad 7", 0.18376789290765354},
      {"Chebyquad 8", 0.19651386283397472},
      {"Chebyquad 9", 0.16994993465202049},
      {"Brown almost-linear 10", 16.530216206349943},
      {"Brown almost-linear 30", 83.476044467848004},
      {"discrete boundary value", 0.028080582281441771},
      {"discrete integral equation", 0.25182700724793725},
      {"trigonometric", 0.084117533643243501},
      {"variably dimensioned", 2240213.4637089079},
      {"Broyden tridiagonal", 4.5825756949558400},
      {"Broyden banded", 18.973665961010276},
  };
  const auto& systems = more_garbow_hillstrom();
  ASSERT_EQ(systems.size(), norms.size());
  for (std::size_t i = 0; i < systems.size(); ++i) {
    const auto& [name, norm] = norms[i];
    EXPECT_EQ(systems[i].name, name);
    EXPECT_NEAR(systems[i].residual(systems[i].start).norm().item<double>(), norm, 1e-10 * norm) << name;
  }
}

TEST(MoreGarbowHillstrom, ResidualsAtTheRootsVanish) {
  for (const NonlinearSystem& system : more_garbow_hillstrom()) {
    EXPECT_EQ(system.roots.empty(), system.name == "Chebyquad 8") << system.name;
    for (const Tensor& root : system.roots) {
      ASSERT_EQ(root.sizes(), system.start.sizes()) << system.name;
      EXPECT_LT(system.residual(root).norm().item<double>(), 1e-12) << system.name << "\n" << root;
    }
  }
}

TEST(MoreGarbowHillstrom, RowsOfABatchAreAsEachAlone) {
  for (const NonlinearSystem& system : more_garbow_hillstrom()) {
    // As in MINPACK, ten times a start of zeros is all tens.
    const bool at_zero = max_difference(system.start, torch::zeros_like(system.start)) == 0.0;
    const Tensor far = at_zero ? torch::full_like(system.start, 10.0) : 10.0 * system.start;
    const Tensor both = system.residual(torch::cat({system.start, far}));
    ASSERT_EQ(both.size(0), 2) << system.name;
    EXPECT_TRUE(close(both.narrow(0, 0, 1), system.residual(system.start), 1e-13)) << system.name;
    EXPECT_TRUE(close(both.narrow(0, 1, 1), system.residual(far), 1e-13)) << system.name;
  }
}

}  // namespace
}  // namespace stillpoint::test
