#include "stillpoint/core/solution.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace stillpoint {
namespace {

constexpr std::int64_t kSamplesListed = 5;

void list_failures(std::ostream& out, const Stats& stats, Status which) {
  const std::int64_t failures = stats.count(which);
  if (failures == 0) return;
  out << "\n  " << to_string(which) << ": " << failures << " sample" << (failures == 1 ? "" : "s") << " (";
  std::int64_t listed = 0;
  for (std::size_t i = 0; i < stats.status.size() && listed < kSamplesListed; ++i) {
    if (stats.status[i] != which) continue;
    out << (listed++ == 0 ? "" : ", ") << "#" << i << " residual " << stats.residual[i];
  }
  out << (failures > listed ? ", …" : "") << ")";
  if (stats.advice != nullptr) out << "; " << stats.advice(which);
}

}  // namespace

const char* to_string(Status status) {
  switch (status) {
    case Status::Converged:
      return "converged";
    case Status::MaxIterations:
      return "max iterations";
    case Status::NonFinite:
      return "non-finite";
    case Status::Stalled:
      return "stalled";
    case Status::TimeLimit:
      return "time limit";
    case Status::Inaccurate:
      return "inaccurate";
    case Status::Unbounded:
      return "unbounded";
  }
  return "unknown";
}

bool Stats::converged() const { return count(Status::Converged) == static_cast<std::int64_t>(status.size()); }

std::int64_t Stats::count(Status which) const { return std::count(status.begin(), status.end(), which); }

Mask Stats::where(Status which) const {
  Mask marks(status.size());
  for (std::size_t b = 0; b < marks.size(); ++b) marks[b] = status[b] == which;
  return marks;
}

double Stats::max_residual() const {
  double largest = 0.0;
  for (const double r : residual) {
    if (std::isnan(r)) return r;
    largest = std::max(largest, r);
  }
  return largest;
}

double Stats::mean_iterations() const {
  if (iterations.empty()) return 0.0;
  double sum = 0.0;
  for (const std::int64_t i : iterations) sum += static_cast<double>(i);
  return sum / static_cast<double>(iterations.size());
}

std::string Stats::brief() const {
  std::ostringstream out;
  const auto most = std::max_element(iterations.begin(), iterations.end());
  out << (method.empty() ? "no solve yet" : method) << ": " << count(Status::Converged) << " of "
      << status.size() << " samples converged, largest residual " << max_residual();
  const auto worst = std::max_element(residual.begin(), residual.end());
  if (worst != residual.end() && allowed.size() == residual.size()) {
    out << " (allowed " << allowed[worst - residual.begin()] << ")";
  }
  out << ", at most " << (most == iterations.end() ? 0 : *most) << " iterations";
  return out.str();
}

std::string Stats::full() const {
  std::ostringstream out;
  out << brief() << "\n  mean iterations " << mean_iterations() << ", evaluations " << evaluations
      << ", Jacobian products " << jacobian_products;
  list_failures(out, *this, Status::MaxIterations);
  list_failures(out, *this, Status::NonFinite);
  list_failures(out, *this, Status::Stalled);
  list_failures(out, *this, Status::TimeLimit);
  list_failures(out, *this, Status::Inaccurate);
  list_failures(out, *this, Status::Unbounded);
  if (backward && !backward->method.empty()) out << "\n  backward: " << backward->full();
  return out.str();
}

void report_failure(const Stats& stats, OnFailure on_failure) {
  if (on_failure == OnFailure::Ignore || stats.converged()) return;
  TORCH_CHECK(on_failure != OnFailure::Throw, "not converged: ", stats.full());
  const auto first = std::ranges::find_if(stats.status, [](Status s) { return s != Status::Converged; });
  const std::string advice = stats.advice != nullptr ? std::string("; ") + stats.advice(*first) : "";
  TORCH_WARN("not converged: ", stats.brief(), advice);
}

}  // namespace stillpoint
