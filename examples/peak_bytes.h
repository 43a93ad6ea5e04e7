#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>

/// The most bytes of tensors that lived at one time while `work` ran, beyond those that lived before: exact,
/// from LibTorch's own report of each allocation, those of the backward pass's threads included.
template <class Work>
std::int64_t peak_bytes(Work work) {
  using Base = c10::MemoryReportingInfoBase;
  // LibTorch 1.13 reports totals as int64_t, 2.x as size_t.
  auto total_of = []<class T>(void (Base::*)(void*, std::int64_t, T, T, c10::Device)) { return T{}; };
  using Total = decltype(total_of(&Base::reportMemoryUsage));

  struct Peak : Base {
    void reportMemoryUsage(void*, std::int64_t bytes, Total, Total, c10::Device) override {
      const std::lock_guard lock(mutex);
      live += bytes;  // negative when memory is given back
      most = std::max(most, live);
    }
    bool memoryProfilingEnabled() const override { return true; }
    std::mutex mutex;
    std::int64_t live = 0;
    std::int64_t most = 0;
  };

  const auto peak = std::make_shared<Peak>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, peak);
  work();
  return peak->most;
}
