#include "peak_memory.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <memory>
#include <mutex>

namespace stillpoint::app {
namespace {

/// The type of the totals that LibTorch reports: it differs from one LibTorch to another.
template <class Total>
Total total_type(void (c10::MemoryReportingInfoBase::*)(void*, std::int64_t, Total, Total, c10::Device));
using Total = decltype(total_type(&c10::MemoryReportingInfoBase::reportMemoryUsage));

class PeakBytes : public c10::MemoryReportingInfoBase {
 public:
  explicit PeakBytes(c10::DeviceType device) : device_(device) {}

  void reportMemoryUsage(void*, std::int64_t bytes, Total, Total, c10::Device device) override {
    if (device.type() != device_) {
      return;
    }
    const std::lock_guard lock(mutex_);
    live_ += bytes;  // negative when memory is given back
    peak_ = std::max(peak_, live_);
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::int64_t peak() const { return peak_; }

 private:
  c10::DeviceType device_;
  std::mutex mutex_;
  std::int64_t live_ = 0;
  std::int64_t peak_ = 0;
};

}  // namespace

std::int64_t peak_tensor_bytes(c10::Device device, const std::function<void()>& work) {
  const auto peak = std::make_shared<PeakBytes>(device.type());
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, peak);
  work();
  return peak->peak();
}

}  // namespace stillpoint::app
