#include "idx.h"

#include <torch/types.h>

#include <numeric>

#include "support.h"

namespace stillpoint::app::testing {
namespace {

const std::string kNumbers = [] {
  std::string numbers(2 * 3 * 4, '\0');
  std::iota(numbers.begin(), numbers.end(), static_cast<char>(240));  // runs through 255 to 0
  return numbers;
}();
const std::string kGood = idx({2, 3, 4}, kNumbers);

class Idx : public ::testing::Test {
 protected:
  void expect_error(const std::string& bytes, const std::string& says) {
    put(path, bytes);
    expect_user_error([&] { read_idx(path, 3); }, {path.string(), says});
  }

  TemporaryDirectory directory;
  fs::path path = directory / "images";
};

TEST_F(Idx, ReadsPlainAndGzippedAlike) {
  for (const auto& bytes : {kGood, gzip(kGood)}) {
    put(path, bytes);
    const auto images = read_idx(path, 3);
    ASSERT_EQ(images.sizes(), (c10::IntArrayRef{2, 3, 4}));
    ASSERT_EQ(images.scalar_type(), torch::kUInt8);
    const auto expected = torch::arange(240, 264).remainder(256).view({2, 3, 4});
    EXPECT_TRUE(images.to(torch::kLong).equal(expected)) << images;
  }
}

TEST_F(Idx, ReadsLabels) {
  put(path, idx({3}, "\x05\x01\x09"));
  EXPECT_TRUE(read_idx(path, 1).to(torch::kLong).equal(torch::tensor({5, 1, 9})));
}

TEST_F(Idx, ReadsAFileLargerThanTheBuffers) {
  const std::string many(300'000, '\x07');
  put(path, gzip(idx({300, 100, 10}, many)));
  const auto images = read_idx(path, 3);
  EXPECT_EQ(images.numel(), 300'000);
  EXPECT_TRUE(images.eq(7).all().item<bool>());
}

TEST_F(Idx, RefusesAFileThatIsMissing) {
  expect_user_error([&] { read_idx(directory / "nowhere", 3); }, {"nowhere", "cannot read"});
  expect_user_error([&] { read_idx(directory.path(), 3); }, {"cannot read"});
}

TEST_F(Idx, RefusesAnEmptyFile) { expect_error("", "too few"); }
TEST_F(Idx, RefusesHalfAHeader) { expect_error(kGood.substr(0, 10), "too few"); }
TEST_F(Idx, RefusesLabelsForImages) {
  expect_error(idx({30}, std::string(30, 'x')), "magic number 2051, found 2049");
}
TEST_F(Idx, RefusesAnotherFormat) { expect_error("<!DOCTYPE html><html>Not found</html>", "magic number"); }
TEST_F(Idx, RefusesFloatingPointNumbers) {
  auto floats = kGood;
  floats[2] = '\x0d';
  expect_error(floats, "magic number");
}
TEST_F(Idx, RefusesNoImages) { expect_error(idx({0, 3, 4}, ""), "0 x 3 x 4"); }
TEST_F(Idx, RefusesSizesWhoseProductOverflows) {
  expect_error(idx({0xffffffff, 0xffffffff, 0xffffffff}, kNumbers), "too large");
}
TEST_F(Idx, RefusesMissingNumbers) { expect_error(kGood.substr(0, kGood.size() - 1), "expected 24 bytes"); }
TEST_F(Idx, RefusesTrailingNumbers) {
  expect_error(kGood + "x", "expected 24 bytes for 2 x 3 x 4 after the header, found more");
}
TEST_F(Idx, RefusesTrailingNumbersInGzip) { expect_error(gzip(kGood + "x"), "found more"); }
TEST_F(Idx, RefusesBytesAfterGzip) { expect_error(gzip(kGood) + "xyz", "3 bytes follow"); }

TEST_F(Idx, RefusesTruncatedGzipWhereverItIsCut) {
  const auto packed = gzip(kGood);
  for (std::size_t size = 2; size < packed.size(); ++size) {
    expect_error(packed.substr(0, size), "cut short");
  }
}

// As `cat a.gz b.gz` makes them.
TEST_F(Idx, ReadsGzipOfSeveralMembers) {
  put(path, gzip(kGood.substr(0, 7)) + gzip(kGood.substr(7, 20)) + gzip("") + gzip(kGood.substr(27)));
  const auto images = read_idx(path, 3);
  put(path, kGood);
  EXPECT_TRUE(images.equal(read_idx(path, 3)));
  expect_error(gzip(kGood.substr(0, 7)) + gzip(kGood.substr(7)) + "xyz", "3 bytes follow");
  expect_error(gzip(kGood.substr(0, 7)) + "\x1f\x8b" + "xyz", "damaged");
}

// 3.2 GB of zeros in 3 MB.
TEST_F(Idx, UnpacksNoMoreThanTheHeaderPromises) {
  const auto zeros = gzip(std::string(std::size_t{16} << 20, '\0'));
  auto bomb = gzip(kGood);
  for (int i = 0; i < 200; ++i) {
    bomb += zeros;
  }
  expect_error(bomb, "expected 24 bytes for 2 x 3 x 4 after the header, found more");
}

TEST_F(Idx, RefusesDamagedGzip) {
  auto packed = gzip(kGood);
  packed[packed.size() - 6] ^= 1;  // the checksum of the content
  expect_error(packed, "damaged");
}

}  // namespace
}  // namespace stillpoint::app::testing
