#include "stillpoint/optim/program_solution.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <sstream>

namespace stillpoint::optim {
namespace {

constexpr std::int64_t kProgramsListed = 5;

const char* program_advice(ProgramStatus status) {
  switch (status) {
    case ProgramStatus::Infeasible:
      return "the certificate names the constraints that contradict each other";
    case ProgramStatus::Unbounded:
      return "the ray shows where; add bounds, or a multiple of the identity to Q";
    case ProgramStatus::Inaccurate:
      return "scale the program so that its numbers have a size near 1, or loosen the tolerance";
    case ProgramStatus::IterationLimit:
      return "allow more iterations";
    case ProgramStatus::NotConvex:
      return "Q has a negative eigenvalue; make it a square, such as L L'";
    case ProgramStatus::NotFinite:
      return "look for NaN in these programs, for h or an upper bound of −∞, or a lower bound of ∞";
    case ProgramStatus::Optimal:
      break;
  }
  return "";
}

void list_programs(std::ostream& out, const ProgramStats& stats, ProgramStatus which) {
  const std::int64_t number = stats.count(which);
  if (number == 0) return;
  out << "\n  " << to_string(which) << ": " << number << " program" << (number == 1 ? "" : "s") << " (";
  std::int64_t listed = 0;
  for (std::size_t i = 0; i < stats.status.size() && listed < kProgramsListed; ++i) {
    if (stats.status[i] == which) out << (listed++ == 0 ? "#" : ", #") << i;
  }
  out << (number > listed ? ", …" : "") << "); " << program_advice(which);
}

void list_flag(std::ostream& out, const Mask& marks, const char* what) {
  const std::int64_t number = marks.count();
  if (number > 0) out << "\n  " << what << ": " << number;
}

double most(const std::vector<double>& numbers, const std::vector<ProgramStatus>& status) {
  double largest = 0.0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (status[i] == ProgramStatus::Optimal) largest = std::max(largest, numbers[i]);
  }
  return largest;
}

}  // namespace

const char* to_string(ProgramStatus status) {
  switch (status) {
    case ProgramStatus::Optimal:
      return "optimal";
    case ProgramStatus::Infeasible:
      return "infeasible";
    case ProgramStatus::Unbounded:
      return "unbounded";
    case ProgramStatus::Inaccurate:
      return "inaccurate";
    case ProgramStatus::IterationLimit:
      return "iteration limit";
    case ProgramStatus::NotConvex:
      return "not convex";
    case ProgramStatus::NotFinite:
      return "not finite";
  }
  return "unknown";
}

bool ProgramStats::optimal() const {
  return count(ProgramStatus::Optimal) == static_cast<std::int64_t>(status.size());
}

std::int64_t ProgramStats::count(ProgramStatus which) const {
  return std::count(status.begin(), status.end(), which);
}

std::string ProgramStats::brief() const {
  std::ostringstream out;
  const auto longest = std::max_element(iterations.begin(), iterations.end());
  out << method << ": " << count(ProgramStatus::Optimal) << " of " << status.size()
      << " programs optimal, with residuals of at most " << most(primal_residual, status) << " (primal), "
      << most(dual_residual, status) << " (dual), gap " << most(gap, status) << ", at most "
      << (longest == iterations.end() ? 0 : *longest) << " iterations";
  return out.str();
}

std::string ProgramStats::full() const {
  std::ostringstream out;
  out << brief();
  for (const ProgramStatus which :
       {ProgramStatus::Infeasible, ProgramStatus::Unbounded, ProgramStatus::Inaccurate,
        ProgramStatus::IterationLimit, ProgramStatus::NotConvex, ProgramStatus::NotFinite})
    list_programs(out, *this, which);
  list_flag(out, weakly_active, "weakly active, where derivatives are one-sided");
  list_flag(out, dual_not_unique, "duals not unique");
  list_flag(out, primal_not_unique, "solution not unique, so without derivatives");
  if (backward && !backward->method.empty()) out << "\n  backward: " << backward->full();
  return out.str();
}

void report_failure(const ProgramStats& stats, OnFailure on_failure) {
  if (on_failure == OnFailure::Ignore || stats.optimal()) return;
  TORCH_CHECK(on_failure != OnFailure::Throw, "not solved: ", stats.full());
  const auto first =
      std::ranges::find_if(stats.status, [](ProgramStatus s) { return s != ProgramStatus::Optimal; });
  TORCH_WARN("not solved: ", stats.brief(), "; ", to_string(*first), ": ", program_advice(*first));
}

}  // namespace stillpoint::optim
