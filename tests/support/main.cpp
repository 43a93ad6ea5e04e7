#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace {

/// Every test draws the same numbers, whichever tests ran before it.
class SeedEachTest : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { torch::manual_seed(2026); }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  torch::set_num_threads(1);
  // Float means float: a convolution rounded to ten bits cannot be held to a float's tolerance.
  at::globalContext().setAllowTF32CuDNN(false);
  testing::UnitTest::GetInstance()->listeners().Append(new SeedEachTest);
  return RUN_ALL_TESTS();
}
