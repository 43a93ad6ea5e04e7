#include "optim/qps_file.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

namespace stillpoint::test {
namespace {

using Fields = std::vector<std::string>;

constexpr double kNoSide = std::numeric_limits<double>::infinity();

Fields fields_of(const std::string& line) {
  std::istringstream in(line);
  Fields fields;
  for (std::string field; in >> field;) fields.push_back(field);
  return fields;
}

double number_in(const std::string& field) {
  char* end = nullptr;
  const double value = std::strtod(field.c_str(), &end);
  TORCH_CHECK(!field.empty() && *end == '\0', "expected a number, got '", field, "'");
  return value;
}

std::size_t number_of(const std::map<std::string, std::size_t>& numbers, const std::string& name) {
  const auto found = numbers.find(name);
  TORCH_CHECK(found != numbers.end(), "unknown name '", name, "'");
  return found->second;
}

struct QpsRow {
  char kind;
  double side = 0.0;
  std::optional<double> range = {};

  double lower() const {
    if (kind == 'G') return side;
    if (kind == 'L') return range ? side - std::abs(*range) : -kNoSide;
    return side + std::min(range.value_or(0.0), 0.0);
  }
  double upper() const {
    if (kind == 'L') return side;
    if (kind == 'G') return range ? side + std::abs(*range) : kNoSide;
    return side + std::max(range.value_or(0.0), 0.0);
  }
};

struct ColumnBounds {
  std::optional<double> lower = {}, upper = {};
};

struct QpsEntry {
  std::size_t row, column;
  double value;
};

class QpsReader {
 public:
  QpsFile read(std::istream& in) {
    std::size_t line_number = 0;
    for (std::string line; section_ != "ENDATA" && std::getline(in, line);) {
      ++line_number;
      try {
        take(line);
      } catch (const c10::Error& error) {
        TORCH_CHECK(false, "line ", line_number, ": ", error.what_without_backtrace());
      }
    }
    TORCH_CHECK(section_ == "ENDATA", "the file is cut short: expected ENDATA");
    return file();
  }

 private:
  void take(const std::string& line) {
    const Fields fields = fields_of(line);
    if (fields.empty() || line[0] == '*') return;
    if (line[0] != ' ' && line[0] != '\t') return begin(fields);
    if (section_ == "ROWS") return row(fields);
    if (section_ == "BOUNDS") return bound(fields);
    if (section_ == "QUADOBJ" || section_ == "QMATRIX") return quadratic(fields);
    if (section_ == "COLUMNS") columns_.try_emplace(fields[0], columns_.size());
    TORCH_CHECK(section_ == "COLUMNS" || section_ == "RHS" || section_ == "RANGES",
                "numbers outside of a section");
    pairs(fields);
  }

  void begin(const Fields& fields) {
    section_ = fields[0];
    if (section_ == "NAME") {
      for (std::size_t i = 1; i < fields.size(); ++i) name_ += (i > 1 ? " " : "") + fields[i];
    }
    for (const char* known :
         {"NAME", "ROWS", "COLUMNS", "RHS", "RANGES", "BOUNDS", "QUADOBJ", "QMATRIX", "ENDATA"})
      if (section_ == known) return;
    TORCH_CHECK(false, "unknown section '", section_, "'");
  }

  void row(const Fields& fields) {
    TORCH_CHECK(fields.size() == 2, "expected a kind and a name of a row");
    TORCH_CHECK(fields[0].size() == 1 && std::string("NLGE").find(fields[0]) != std::string::npos,
                "expected a row of kind N, L, G or E, got '", fields[0], "'");
    TORCH_CHECK(row_numbers_.emplace(fields[1], rows_.size()).second, "row '", fields[1], "' twice");
    rows_.push_back({fields[0][0]});
  }

  // [name] row number [row number]
  void pairs(const Fields& fields) {
    const std::size_t first = fields.size() % 2;
    TORCH_CHECK(fields.size() >= 2 && (first == 1 || section_ != "COLUMNS"),
                "expected names and numbers in pairs");
    for (std::size_t i = first; i < fields.size(); i += 2) {
      const std::size_t row = number_of(row_numbers_, fields[i]);
      const double value = number_in(fields[i + 1]);
      if (section_ == "RHS") {
        rows_[row].side = value;
      } else if (section_ == "RANGES") {
        rows_[row].range = value;
      } else {
        entries_.push_back({row, columns_.at(fields[0]), value});
      }
    }
  }

  // kind [name] column [number]
  void bound(const Fields& fields) {
    const std::string& kind = fields[0];
    const bool has_number = kind == "LO" || kind == "UP" || kind == "FX";
    TORCH_CHECK(has_number || kind == "FR" || kind == "MI" || kind == "PL",
                "expected a bound LO, UP, FX, FR, MI or PL, got '", kind, "'");
    const std::size_t fewest = has_number ? 3 : 2;
    TORCH_CHECK(fields.size() >= fewest, "a bound that is cut short");
    ColumnBounds& column = bounds_[number_of(columns_, fields[fields.size() == fewest ? 1 : 2])];
    const double value = has_number ? number_in(fields.back()) : kNoSide;
    if (kind == "LO" || kind == "FX") column.lower = value;
    if (kind == "UP" || kind == "FX" || kind == "FR" || kind == "PL") column.upper = value;
    if (kind == "FR" || kind == "MI") column.lower = -kNoSide;
  }

  void quadratic(const Fields& fields) {
    TORCH_CHECK(fields.size() == 3, "expected two names and a number");
    quadratic_.push_back(
        {number_of(columns_, fields[0]), number_of(columns_, fields[1]), number_in(fields[2])});
    both_triangles_ = section_ == "QMATRIX";
  }

  // The number of each row among the constraints; none for the objective and other rows of kind N.
  std::vector<std::optional<std::int64_t>> constraints() const {
    std::vector<std::optional<std::int64_t>> numbers(rows_.size());
    std::int64_t count = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (rows_[i].kind != 'N') numbers[i] = count++;
    return numbers;
  }

  std::size_t objective() const {
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (rows_[i].kind == 'N') return i;
    TORCH_CHECK(false, "there is no objective: expected a row of kind N");
  }

  QpsFile file() const {
    QpsFile file;
    file.name = name_;
    fill_rows(file);
    fill_bounds(file);
    fill_quadratic(file);
    return file;
  }

  void fill_rows(QpsFile& file) const {
    const auto constraint = constraints();
    const std::size_t costs = objective();
    const auto n = static_cast<std::int64_t>(columns_.size());
    const auto m =
        std::count_if(rows_.begin(), rows_.end(), [](const QpsRow& row) { return row.kind != 'N'; });
    file.p = torch::zeros({n}, torch::kDouble);
    file.rows = torch::zeros({m, n}, torch::kDouble);
    file.row_lower = torch::zeros({m}, torch::kDouble);
    file.row_upper = torch::zeros({m}, torch::kDouble);
    file.constant = -rows_[costs].side;
    for (const QpsEntry& entry : entries_) {
      const auto column = static_cast<std::int64_t>(entry.column);
      if (entry.row == costs) file.p[column] = entry.value;
      if (constraint[entry.row]) file.rows[*constraint[entry.row]][column] = entry.value;
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!constraint[i]) continue;
      file.row_lower[*constraint[i]] = rows_[i].lower();
      file.row_upper[*constraint[i]] = rows_[i].upper();
    }
  }

  void fill_bounds(QpsFile& file) const {
    const auto n = static_cast<std::int64_t>(columns_.size());
    file.lower = torch::zeros({n}, torch::kDouble);
    file.upper = torch::full({n}, kNoSide, torch::kDouble);
    for (const auto& [number, bounds] : bounds_) {
      const auto column = static_cast<std::int64_t>(number);
      file.lower[column] = bounds.lower.value_or(bounds.upper.value_or(0.0) < 0.0 ? -kNoSide : 0.0);
      file.upper[column] = bounds.upper.value_or(kNoSide);
    }
  }

  void fill_quadratic(QpsFile& file) const {
    const auto n = static_cast<std::int64_t>(columns_.size());
    file.Q = torch::zeros({n, n}, torch::kDouble);
    for (const QpsEntry& entry : quadratic_) {
      const auto row = static_cast<std::int64_t>(entry.row);
      const auto column = static_cast<std::int64_t>(entry.column);
      file.Q[row][column] = entry.value;
      if (!both_triangles_) file.Q[column][row] = entry.value;
    }
  }

  std::string section_, name_;
  std::map<std::string, std::size_t> row_numbers_, columns_;
  std::vector<QpsRow> rows_;
  std::map<std::size_t, ColumnBounds> bounds_;
  std::vector<QpsEntry> entries_, quadratic_;
  bool both_triangles_ = false;
};

}  // namespace

QpsFile read_qps(std::istream& in) { return QpsReader().read(in); }

QpsFile read_qps(const std::filesystem::path& file) {
  std::ifstream in(file);
  TORCH_CHECK(in, file.string(), ": cannot read");
  try {
    return read_qps(in);
  } catch (const c10::Error& error) {
    TORCH_CHECK(false, file.string(), ", ", error.what_without_backtrace());
  }
}

}  // namespace stillpoint::test
