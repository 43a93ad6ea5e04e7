#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

inline constexpr int kRounds = 60;
inline constexpr int kFewestRounds = 6;
inline constexpr double kSecondsPerTurn = 0.01;
inline constexpr double kSecondsPerRow = 5;

template <class Work>
double seconds(Work& work, int repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) {
    work();
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// How many times longer `work` takes than `reference`: the median over rounds in which both run at once
/// after the other, so that whatever else the machine does weighs on both alike. There are `kRounds` of them,
/// and fewer where that takes long.
template <class Work, class Reference>
double time_ratio(Work work, Reference reference) {
  seconds(work, 1);
  const double once = std::max(seconds(work, 2) / 2, seconds(reference, 2) / 2);
  const int repeats = std::max(1, static_cast<int>(std::lround(kSecondsPerTurn / once)));
  const int rounds = std::clamp(static_cast<int>(kSecondsPerRow / once), kFewestRounds, kRounds);
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    const bool work_first = round % 2 == 0;
    const double first = work_first ? seconds(work, repeats) : seconds(reference, repeats);
    const double second = work_first ? seconds(reference, repeats) : seconds(work, repeats);
    ratios.push_back(work_first ? first / second : second / first);
  }
  std::nth_element(ratios.begin(), ratios.begin() + rounds / 2, ratios.end());
  return ratios[rounds / 2];
}
