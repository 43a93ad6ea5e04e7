#include "dataset.h"

#include <torch/types.h>

#include <cstdlib>

#include "boards.h"
#include "support.h"

namespace stillpoint::app::testing {
namespace {

std::string letters(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text.push_back(static_cast<char>('a' + i % 26));
  }
  return text;
}

TEST(Text, IsCutIntoPiecesWhoseTargetsComeNext) {
  const TemporaryDirectory directory;
  put(directory / "text", letters(1000));
  const auto data = load_text(directory / "text", 10, torch::kCPU);
  EXPECT_EQ(data.train.inputs.sizes(), (c10::IntArrayRef{89, 10}));
  EXPECT_EQ(data.test.inputs.sizes(), (c10::IntArrayRef{9, 10}));
  EXPECT_EQ(data.train.inputs.scalar_type(), torch::kLong);
  for (const auto& part : {data.train, data.test}) {
    const auto next = (part.inputs - 'a' + 1).remainder(26) + 'a';
    EXPECT_TRUE(part.targets.equal(next));
  }
  EXPECT_EQ(data.train.inputs[3][0].item<int>(), 'a' + 30 % 26);
  EXPECT_EQ(data.test.inputs[0][0].item<int>(), 'a' + 900 % 26);
}

TEST(Text, KeepsBytesAboveTheLatinAlphabet) {
  const TemporaryDirectory directory;
  put(directory / "text", std::string(400, '\xff'));
  EXPECT_TRUE(load_text(directory / "text", 10, torch::kCPU).train.inputs.eq(255).all().item<bool>());
}

TEST(Text, RefusesWhatIsNoText) {
  const TemporaryDirectory directory;
  put(directory / "short", letters(100));
  expect_user_error([&] { load_text("", 10, torch::kCPU); }, {"--data"});
  expect_user_error([&] { load_text(directory.path(), 10, torch::kCPU); },
                    {directory.path().string(), "it is a directory"});
  expect_user_error([&] { load_text(directory / "short", 10, torch::kCPU); },
                    {"at least 200 bytes, found 100"});
  expect_user_error([&] { load_text(directory / "nowhere", 10, torch::kCPU); }, {"nowhere"});
}

TEST(CurveData, LieOnTheCurve) {
  const auto data = make_curve(torch::kCPU), again = make_curve(torch::kCPU);
  EXPECT_EQ(data.train.inputs.sizes(), (c10::IntArrayRef{4096, 1}));
  EXPECT_EQ(data.test.size(), 1000);
  EXPECT_TRUE(data.train.targets.equal(again.train.targets));
  const auto x = data.train.inputs;
  const auto noise = data.train.targets - (1.5 * x.pow(3) + x.square() - 5 * x + 2 * x.sin() - 3);
  EXPECT_NEAR(noise.mean().item<double>(), 0.0, 0.004);
  EXPECT_NEAR(noise.std().item<double>(), 0.05, 0.003);
  EXPECT_GT(x.max().item<double>(), 1.99);
  EXPECT_LT(x.min().item<double>(), -1.99);
}

TEST(Signals, ArePiecewiseConstantUnderNoise) {
  const auto data = make_signals(torch::kCPU), again = make_signals(torch::kCPU);
  EXPECT_EQ(data.train.inputs.sizes(), (c10::IntArrayRef{9000, 100}));
  EXPECT_EQ(data.test.size(), 1000);
  EXPECT_TRUE(data.train.inputs.equal(again.train.inputs));
  const auto clean = data.train.targets;
  EXPECT_EQ(clean.min().item<double>(), 10);
  EXPECT_EQ(clean.max().item<double>(), 100);
  EXPECT_TRUE(clean.frac().eq(0).all().item<bool>());
  const auto breaks = clean.diff().ne(0);
  EXPECT_FALSE(breaks.select(1, 98).any().item<bool>()) << "the last piece has two places at least";
  EXPECT_TRUE(breaks.slice(1, 0, 98).any(0).all().item<bool>()) << "breaks are everywhere else";
  EXPECT_EQ(breaks.sum(1).max().item<int>(), 8);
  EXPECT_EQ(breaks.sum(1).min().item<int>(), 0);
  EXPECT_NEAR(breaks.sum(1).to(torch::kDouble).mean().item<double>(), 4.0, 0.1);
  const auto noise = data.train.inputs - clean;
  EXPECT_NEAR(noise.mean().item<double>(), 0.0, 0.05);
  EXPECT_NEAR(noise.std().item<double>(), 10.0, 0.05);
}

TEST(Boards, AreReadWithTheirSolutions) {
  const TemporaryDirectory directory;
  put_boards(directory / "boards", 30);
  const auto data = load_boards(directory / "boards", torch::kCPU);
  EXPECT_EQ(data.train.inputs.sizes(), (c10::IntArrayRef{27, 64}));
  EXPECT_EQ(data.test.targets.sizes(), (c10::IntArrayRef{3, 64}));
  for (const auto& part : {data.train, data.test}) {
    EXPECT_FALSE(wrong_boards(part.targets).any().item<bool>());
    EXPECT_TRUE((part.inputs <= part.targets).all().item<bool>());
    EXPECT_EQ(part.targets.sum().item<double>(), 16.0 * static_cast<double>(part.size()));
  }
}

TEST(Boards, AreHeldCellByCell) {
  const TemporaryDirectory directory;
  std::string lines;
  for (int i = 0; i < 10; ++i) lines += "4000000000000002 4321214312343412\n";
  lines.replace(lines.find("1234"), 4, "1232");  // wrong, but that is for the test error to say
  put(directory / "boards", lines);
  const auto train = load_boards(directory / "boards", torch::kCPU).train;
  EXPECT_EQ(train.inputs[0].nonzero().flatten()[0].item<int>(), 3);
  EXPECT_EQ(train.inputs[0].nonzero().flatten()[1].item<int>(), 61);
  EXPECT_TRUE(wrong_boards(train.targets)[0].item<bool>());
}

TEST(Boards, RefuseWhatIsNone) {
  const TemporaryDirectory directory;
  const auto expect_refusal = [&](const std::string& lines, const std::string& says) {
    put(directory / "boards", lines);
    expect_user_error([&] { load_boards(directory / "boards", torch::kCPU); }, {"--data", "boards", says});
  };
  const std::string good = "0300001040000002 1324241342313142\n";
  expect_user_error([] { load_boards("", torch::kCPU); }, {"--model sudoku", "--data"});
  expect_refusal("", "at least 10 boards, found 0");
  expect_refusal(good, "at least 10 boards, found 1");
  expect_refusal(good + "0300001040000002\n", "line 2");
  expect_refusal(good + "0300001040000002,1324241342313142\n", "line 2");
  expect_refusal(good + good + "0300001040000002 1324241342313149\n", "line 3");
  expect_refusal("0300001040000002 1424241342313142\n", "fill this board");
}

TEST(Boards, OfTheFileAreRight) {
  const char* file = std::getenv("STILLPOINT_SUDOKU_FILE");
  if (file == nullptr) {
    GTEST_SKIP() << "set STILLPOINT_SUDOKU_FILE to a file of sudoku boards to run this test";
  }
  const auto data = load_boards(file, torch::kCPU);
  EXPECT_EQ(data.train.size(), 9000);
  EXPECT_EQ(data.test.size(), 1000);
  for (const auto& part : {data.train, data.test}) {
    EXPECT_FALSE(wrong_boards(part.targets).any().item<bool>());
    EXPECT_TRUE(wrong_boards(part.inputs).all().item<bool>());
  }
}

class DatasetFiles : public ::testing::Test {
 protected:
  void SetUp() override { put_dataset(directory.path(), 30, 20); }
  void expect_error(const std::vector<std::string>& parts) {
    expect_user_error([&] { load_images(directory.path(), torch::kCPU); }, parts);
  }

  TemporaryDirectory directory;
};

TEST_F(DatasetFiles, LoadsPixelsBetweenZeroAndOne) {
  const auto data = load_images(directory.path(), torch::kCPU);
  EXPECT_EQ(data.train.inputs.sizes(), (c10::IntArrayRef{30, 784}));
  EXPECT_EQ(data.train.inputs.scalar_type(), torch::kFloat);
  EXPECT_GE(data.train.inputs.min().item<float>(), 0.0F);
  EXPECT_LE(data.train.inputs.max().item<float>(), 1.0F);
  EXPECT_GT(data.train.inputs.max().item<float>(), 0.9F);
  EXPECT_TRUE(data.train.targets.equal(torch::arange(30).remainder(10)));
  EXPECT_EQ(data.test.size(), 20);
}

TEST_F(DatasetFiles, SelectsAndSlices) {
  const auto train = load_images(directory.path(), torch::kCPU).train;
  const auto selected = train.select(torch::tensor({13, 4}));
  EXPECT_TRUE(selected.targets.equal(torch::tensor({3, 4})));
  EXPECT_TRUE(selected.inputs[0].equal(train.inputs[13]));
  EXPECT_EQ(train.slice(25, 10).size(), 5);
}

TEST_F(DatasetFiles, RefusesAMissingFile) {
  fs::remove(directory / "t10k-labels-idx1-ubyte");
  expect_error({"no t10k-labels-idx1-ubyte", directory.path().string(), "--data", "dataset-fashion-mnist"});
}

TEST_F(DatasetFiles, SaysWhyAFileCannotBeLookedAt) {
  fs::remove(directory / "t10k-labels-idx1-ubyte");
  fs::create_symlink("t10k-labels-idx1-ubyte", directory / "t10k-labels-idx1-ubyte");
  expect_error({"t10k-labels-idx1-ubyte", "Too many levels of symbolic links"});
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

TEST_F(DatasetFiles, MakesSetsWhoseChoiceIsClear) {
  put_dataset(directory.path(), 800, 100);
  const auto images = load_images(directory.path(), torch::kCPU).train;
  const auto sets = load_image_sets(directory.path(), torch::kCPU).train;
  EXPECT_GT(sets.size(), 20);
  EXPECT_LT(sets.size(), 100);
  EXPECT_EQ(sets.inputs.sizes(), (c10::IntArrayRef{sets.size(), 8, 784}));
  const auto falling = std::get<0>(sets.targets.sort(1, true));
  EXPECT_TRUE(falling.select(1, 2).gt(falling.select(1, 3)).all().item<bool>());
  // The images of the files know their digits by where they are bright.
  const auto mean_of = [](const Examples& examples, int digit) {
    return examples.inputs.flatten(0, -2).index({examples.targets.flatten().eq(digit)}).mean(0);
  };
  EXPECT_LT((mean_of(sets, 7) - mean_of(images, 7)).abs().max().item<double>(), 0.1);
}

TEST(Mnist, IsWhatItIsKnownToBe) {
  const char* directory = std::getenv("STILLPOINT_MNIST_DIR");
  if (directory == nullptr) {
    GTEST_SKIP() << "set STILLPOINT_MNIST_DIR to the directory of the MNIST files to run this test";
  }
  const auto data = load_images(directory, torch::kCPU);
  EXPECT_EQ(data.train.inputs.sizes(), (c10::IntArrayRef{60000, 784}));
  EXPECT_EQ(data.test.inputs.sizes(), (c10::IntArrayRef{10000, 784}));
  EXPECT_TRUE(data.train.targets.slice(0, 0, 5).equal(torch::tensor({5, 0, 4, 1, 9})));
  EXPECT_TRUE(data.test.targets.slice(0, 0, 5).equal(torch::tensor({7, 2, 1, 0, 4})));
  EXPECT_NEAR(data.train.inputs.mean().item<double>(), 0.1307, 1e-4);
}

}  // namespace
}  // namespace stillpoint::app::testing
