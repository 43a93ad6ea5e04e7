// The reader of QPS files beside files that a person has read.
#include "optim/qps_file.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "optim/programs.h"

namespace stillpoint::test {
namespace {

QpsFile read_text(const std::string& text) {
  std::istringstream in(text);
  return read_qps(in);
}

std::string with_columns(const std::string& rest) {
  return "NAME  two words\nROWS\n N cost\n G r\n N other\n L s\n E e\n E d\nCOLUMNS\n"
         "    x  cost  1.5  r  2.\n    x  s  -1\n* a comment\n    y  e  1e1  d  -.5\n    y  other  7\n    z  "
         "r  3\n" +
         rest + "ENDATA\nwhat follows is not read";
}

TEST(QpsFile, HasRowsAndTheirRanges) {
  const QpsFile file =
      read_text(with_columns("RHS\n    side  cost  4  r  -2\n    s  3  e  5\n    side  d  6\n"));
  EXPECT_EQ(file.name, "two words");
  EXPECT_EQ(file.constant, -4);
  EXPECT_TRUE(identical(file.p, vector({1.5, 0, 0})));
  EXPECT_TRUE(identical(file.rows, vector({2, 0, 3, -1, 0, 0, 0, 10, 0, 0, -.5, 0}).view({4, 3})));
  EXPECT_TRUE(identical(file.row_lower, vector({-2, -kInfinity, 5, 6})));
  EXPECT_TRUE(identical(file.row_upper, vector({kInfinity, 3, 5, 6})));
  const QpsFile ranges =
      read_text(with_columns("RHS\n    s  3  e  5\nRANGES\n    r  -2  s  1.5\n    e  2  d  -2\n"));
  EXPECT_TRUE(identical(ranges.row_lower, vector({0, 1.5, 5, -2})));
  EXPECT_TRUE(identical(ranges.row_upper, vector({2, 3, 7, 0})));
}

TEST(QpsFile, HasBoundsOfEveryKind) {
  const auto bounds = [](const std::string& text) {
    const QpsFile file = read_text(with_columns("BOUNDS\n" + text));
    return torch::stack({file.lower, file.upper}, 1);
  };
  const auto sides = [](const std::vector<double>& numbers) { return vector(numbers).view({3, 2}); };
  const double none = kInfinity;
  EXPECT_TRUE(identical(bounds(""), sides({0, none, 0, none, 0, none})));
  EXPECT_TRUE(identical(bounds(" LO set x -1\n UP set x 2\n FX set y 3\n FR set z\n"),
                        sides({-1, 2, 3, 3, -none, none})));
  EXPECT_TRUE(identical(bounds(" MI set x\n UP set x 2\n UP set y 4\n PL set y\n UP z 5\n"),
                        sides({-none, 2, 0, none, 0, 5})));
  EXPECT_TRUE(identical(bounds(" UP set x -2\n LO set y 0\n UP set y -2\n FR z\n"),
                        sides({-none, -2, 0, -2, -none, none})));
}

TEST(QpsFile, HasOneTriangleOrBoth) {
  const Tensor Q = vector({4, -1, 0, -1, 2, 0, 0, 0, 0}).view({3, 3});
  EXPECT_TRUE(identical(read_text(with_columns("QUADOBJ\n    x x 4\n    x y -1\n    y y 2\n")).Q, Q));
  EXPECT_TRUE(identical(read_text(with_columns("QUADOBJ\n    x x 4\n    y x -1\n    y y 2\n")).Q, Q));
  EXPECT_TRUE(
      identical(read_text(with_columns("QMATRIX\n    x x 4\n    x y -1\n    y x -1\n    y y 2\n")).Q, Q));
  EXPECT_TRUE(identical(read_text(with_columns("")).Q, zeros({3, 3})));
}

TEST(QpsFileMisuse, NamesTheLine) {
  const auto refuses = [](const std::string& rest, const std::string& says) {
    expect_error([&] { read_text(with_columns(rest)); }, says);
  };
  refuses("RHS\n    side  nowhere  4\n", "line 17: unknown name 'nowhere'");
  refuses("RHS\n    side  r  4x\n", "line 17: expected a number, got '4x'");
  refuses("BOUNDS\n BV set x\n", "line 17: expected a bound LO, UP, FX, FR, MI or PL, got 'BV'");
  refuses("QUADOBJ\n    x y\n", "line 17: expected two names and a number");
  refuses("SOS\n", "line 16: unknown section 'SOS'");
  expect_error([] { read_text("ROWS\n N cost\n"); }, "cut short");
  expect_error([] { read_text("ROWS\n X cost\n"); }, "line 2: expected a row of kind N, L, G or E, got 'X'");
  expect_error([] { read_text("ROWS\n G r\nENDATA\n"); }, "no objective");
  expect_error([] { read_qps(std::filesystem::path("/nowhere.qps")); }, "/nowhere.qps: cannot read");
}

}  // namespace
}  // namespace stillpoint::test
