#include "stillpoint/ode/solution.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <sstream>

namespace stillpoint::ode {
namespace {

constexpr std::int64_t kSamplesListed = 5;

const char* advice(Status status) {
  switch (status) {
    case Status::StepTooSmall:
      return "the solution may blow up there, or the equation jump; loosen the tolerance, use double, or "
             "lower "
             "min_step";
    case Status::StepLimit:
      return "allow more steps, loosen the tolerance, or look whether the equation is stiff";
    case Status::NotFinite:
      return "look for NaN or infinity in these samples, or for a slope that is not defined there";
    case Status::TimeLimit:
      return "allow more time, or loosen the tolerance";
    case Status::StagesNotFound:
      return "take shorter steps, look whether f jumps there, or allow more newton.max_iterations";
    case Status::Finished:
    case Status::Event:
      break;
  }
  return "";
}

void list_failures(std::ostream& out, const Stats& stats, Status which) {
  const std::int64_t failures = stats.count(which);
  if (failures == 0) return;
  out << "\n  " << to_string(which) << ": " << failures << " sample" << (failures == 1 ? "" : "s") << " (";
  std::int64_t listed = 0;
  for (std::size_t b = 0; b < stats.status.size() && listed < kSamplesListed; ++b) {
    if (stats.status[b] == which) out << (listed++ == 0 ? "#" : ", #") << b << " at t = " << stats.time[b];
  }
  out << (failures > listed ? ", …" : "") << "); " << advice(which);
}

bool ended_well(Status status) { return status == Status::Finished || status == Status::Event; }

std::int64_t most(const std::vector<std::int64_t>& numbers) {
  return numbers.empty() ? 0 : *std::max_element(numbers.begin(), numbers.end());
}

}  // namespace

const char* to_string(Status status) {
  switch (status) {
    case Status::Finished:
      return "finished";
    case Status::Event:
      return "event";
    case Status::StepTooSmall:
      return "step too small";
    case Status::StepLimit:
      return "step limit";
    case Status::NotFinite:
      return "not finite";
    case Status::TimeLimit:
      return "time limit";
    case Status::StagesNotFound:
      return "stages not found";
  }
  return "unknown";
}

bool Stats::finished() const { return std::ranges::all_of(status, ended_well); }

std::int64_t Stats::count(Status which) const { return std::count(status.begin(), status.end(), which); }

std::string Stats::brief() const {
  if (status.empty()) return (method.empty() ? "" : method + ": ") + "no equation was solved";
  std::ostringstream out;
  out << method << ": " << count(Status::Finished) << " of " << status.size() << " samples finished, ";
  if (const std::int64_t events = count(Status::Event)) out << events << " came to an event, ";
  out << "at most " << most(accepted) << " steps and " << most(rejected) << " rejected, " << evaluations
      << " evaluations";
  if (newton_iterations > 0)
    out << ", " << newton_iterations << " Newton iterations, " << jacobians << " Jacobians, "
        << factorizations << " factorizations";
  if (evaluations == 0) out << "; only one time was given, so there was nothing to solve";
  return out.str();
}

std::string Stats::full() const {
  std::ostringstream out;
  out << brief();
  for (const Status which : {Status::StepTooSmall, Status::StepLimit, Status::NotFinite, Status::TimeLimit,
                             Status::StagesNotFound})
    list_failures(out, *this, which);
  if (!reconstruction.empty())
    out << "\n  y, taken back, missed what it had been by at most "
        << *std::ranges::max_element(reconstruction) << " tolerances";
  return out.str();
}

void report_failure(const Stats& stats, OnFailure on_failure) {
  if (on_failure == OnFailure::Ignore || stats.finished()) return;
  TORCH_CHECK(on_failure != OnFailure::Throw, "not finished: ", stats.full());
  const auto first = std::ranges::find_if(stats.status, [](Status s) { return !ended_well(s); });
  TORCH_WARN("not finished: ", stats.brief(), "; ", to_string(*first),
             " at t = ", stats.time[first - stats.status.begin()], ": ", advice(*first));
}

}  // namespace stillpoint::ode
