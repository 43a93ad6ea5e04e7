#include "stillpoint/core/best_iterate.h"

#include <ATen/Functions.h>

#include <limits>
#include <utility>

#include "core/rows/rows.h"

namespace stillpoint {

BestIterate::BestIterate(std::int64_t batch) : residual_(batch, std::numeric_limits<double>::quiet_NaN()) {}

bool BestIterate::improves_all(const std::vector<double>& residual) const {
  int exceptions = 0;
  for (std::size_t b = 0; b < residual_.size(); ++b) {
    exceptions |= static_cast<int>(!(residual[b] < residual_[b]));
  }
  return exceptions == 0;
}

void BestIterate::take(at::Tensor z, const std::vector<double>& residual) {
  residual_ = residual;
  live_ = std::move(z);
  owned_ = false;
}

void BestIterate::take(at::Tensor z, const std::vector<double>& residual, const Mask& better,
                       const Mask& running) {
  for (std::size_t b = 0; b < residual_.size(); ++b) {
    if (better[b]) residual_[b] = residual[b];
  }
  if (better == running) {
    live_ = std::move(z);
    owned_ = false;
  } else if (better.any()) {
    if (!owned_) live_ = live_.clone();
    owned_ = true;
    detail::copy_rows(better, z, live_);
  }
}

void BestIterate::end(const Mask& ending) {
  // Once samples have parted ways, all that end are gathered there, also if it is all of them at once: some
  // may have ended before and gone on.
  if (!parted() && ending.all()) return;
  if (!parted()) ended_ = at::empty_like(live_);
  detail::copy_rows(ending, live_, ended_);
}

void BestIterate::go_on(const Mask& running) {
  live_ = value(running).clone();
  owned_ = true;
}

at::Tensor BestIterate::value(const Mask& running) const {
  if (!parted()) return live_;
  if (!running.any()) return ended_;
  at::Tensor all = ended_.clone();
  detail::copy_rows(running, live_, all);
  return all;
}

}  // namespace stillpoint
