#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace stillpoint {

/// Marks some of the samples of a batch: 1 for each that is marked, else 0. It lives on the host.
class Mask {
 public:
  Mask() = default;
  explicit Mask(std::size_t batch, bool marked = false) : marks_(batch, marked ? 1 : 0) {}
  Mask(std::initializer_list<std::uint8_t> marks) : marks_(marks) {}

  std::size_t size() const { return marks_.size(); }
  std::uint8_t operator[](std::size_t sample) const { return marks_[sample]; }
  std::uint8_t& operator[](std::size_t sample) { return marks_[sample]; }
  const std::uint8_t* data() const { return marks_.data(); }
  auto begin() const { return marks_.begin(); }
  auto end() const { return marks_.end(); }

  /// How many are marked.
  std::int64_t count() const { return std::count(marks_.begin(), marks_.end(), std::uint8_t{1}); }
  bool any() const { return std::find(marks_.begin(), marks_.end(), std::uint8_t{1}) != marks_.end(); }
  bool all() const { return std::find(marks_.begin(), marks_.end(), std::uint8_t{0}) == marks_.end(); }
  bool operator==(const Mask&) const = default;

 private:
  std::vector<std::uint8_t> marks_;
};

}  // namespace stillpoint
