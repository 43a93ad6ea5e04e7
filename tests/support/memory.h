#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

namespace stillpoint::test {

/// Counts the tensor memory that is allocated and freed while it lives, on this thread and in the backward
/// passes that it starts. Memory from before is not counted, and must not be freed meanwhile.
class MemoryMeter {
 public:
  std::int64_t live_bytes() const { return counter_->bytes; }
  std::int64_t live_blocks() const { return counter_->blocks; }
  std::int64_t peak_bytes() const { return counter_->peak; }

 private:
  // LibTorch 1 reports totals as signed numbers, LibTorch 2 as unsigned ones: one of the two functions below
  // overrides the base's, so neither may say that it does.
  struct Counter : c10::MemoryReportingInfoBase {
    void reportMemoryUsage(void*, std::int64_t change, std::int64_t, std::int64_t, c10::Device) {
      count(change);
    }
    void reportMemoryUsage(void*, std::int64_t change, std::size_t, std::size_t, c10::Device) {
      count(change);
    }
    bool memoryProfilingEnabled() const { return true; }

    void count(std::int64_t change) {
      bytes += change;
      blocks += change > 0 ? 1 : -1;
      peak = std::max(peak.load(), bytes.load());
    }
    std::atomic<std::int64_t> bytes = 0, blocks = 0, peak = 0;
  };

  std::shared_ptr<Counter> counter_ = std::make_shared<Counter>();
  c10::DebugInfoGuard guard_{c10::DebugInfoKind::PROFILER_STATE, counter_};
};

}  // namespace stillpoint::test
