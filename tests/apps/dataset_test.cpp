#include "dataset.h"

#include <torch/types.h>

#include <cstdlib>

#include "support.h"

namespace stillpoint::app::testing {
namespace {

class DatasetFiles : public ::testing::Test {
 protected:
  void SetUp() override { put_dataset(directory.path(), 30, 20); }
  void expect_error(const std::vector<std::string>& parts) {
    expect_user_error([&] { load_dataset(directory.path(), torch::kCPU); }, parts);
  }

  TemporaryDirectory directory;
};

TEST_F(DatasetFiles, LoadsPixelsBetweenZeroAndOne) {
  const auto data = load_dataset(directory.path(), torch::kCPU);
  EXPECT_EQ(data.train.images.sizes(), (c10::IntArrayRef{30, 784}));
  EXPECT_EQ(data.train.images.scalar_type(), torch::kFloat);
  EXPECT_GE(data.train.images.min().item<float>(), 0.0F);
  EXPECT_LE(data.train.images.max().item<float>(), 1.0F);
  EXPECT_GT(data.train.images.max().item<float>(), 0.9F);
  EXPECT_TRUE(data.train.labels.equal(torch::arange(30).remainder(10)));
  EXPECT_EQ(data.test.size(), 20);
}

TEST_F(DatasetFiles, SelectsAndSlices) {
  const auto train = load_dataset(directory.path(), torch::kCPU).train;
  const auto selected = train.select(torch::tensor({13, 4}));
  EXPECT_TRUE(selected.labels.equal(torch::tensor({3, 4})));
  EXPECT_TRUE(selected.images[0].equal(train.images[13]));
  EXPECT_EQ(train.slice(25, 10).size(), 5);
}

TEST_F(DatasetFiles, RefusesAMissingFile) {
  fs::remove(directory / "t10k-labels-idx1-ubyte");
  expect_error({"no t10k-labels-idx1-ubyte", directory.path().string(), "--data", "dataset-fashion-mnist"});
}

TEST_F(DatasetFiles, RefusesCountsThatDiffer) {
  put(directory / "t10k-labels-idx1-ubyte", idx({19}, std::string(19, '\1')));
  expect_error({"20 images", "19 labels"});
}

TEST_F(DatasetFiles, RefusesImagesOfAnotherSize) {
  put(directory / "t10k-images-idx3-ubyte", idx({20, 14, 56}, std::string(20 * 784, '\1')));
  expect_error({"28 x 28", "14 x 56"});
}

TEST_F(DatasetFiles, RefusesALabelThatIsNoDigit) {
  put(directory / "t10k-labels-idx1-ubyte", idx({20}, std::string(20, '\x0a')));
  expect_error({"labels from 0 to 9, found 10"});
}

TEST(Mnist, IsWhatItIsKnownToBe) {
  const char* directory = std::getenv("STILLPOINT_MNIST_DIR");
  if (directory == nullptr) {
    GTEST_SKIP() << "set STILLPOINT_MNIST_DIR to the directory of the MNIST files to run this test";
  }
  const auto data = load_dataset(directory, torch::kCPU);
  EXPECT_EQ(data.train.images.sizes(), (c10::IntArrayRef{60000, 784}));
  EXPECT_EQ(data.test.images.sizes(), (c10::IntArrayRef{10000, 784}));
  EXPECT_TRUE(data.train.labels.slice(0, 0, 5).equal(torch::tensor({5, 0, 4, 1, 9})));
  EXPECT_TRUE(data.test.labels.slice(0, 0, 5).equal(torch::tensor({7, 2, 1, 0, 4})));
  EXPECT_NEAR(data.train.images.mean().item<double>(), 0.1307, 1e-4);
}

}  // namespace
}  // namespace stillpoint::app::testing
